"""Events for several subscribers. Each subscriber is a service; a publisher sends each one a batch, which wakes it once for all of its events.

    python docs/examples/fan_out.py

starts three subscribers, one of which dies on the way, and ends.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

import nanorpc
from nanorpc.testing import ServiceProcess

Event = tuple[str, float]


def subscriber(name: str) -> nanorpc.Service:
    """Return a service that takes events, and counts them."""
    service = nanorpc.Service(name)
    seen: Counter[str] = Counter()

    @service.method
    def notify(topic: str, value: float) -> None:
        """Take an event."""
        seen[topic] += 1

    @service.method
    def counts() -> dict[str, int]:
        """Say how many events of each topic there have been."""
        return dict(seen)

    return service


display, archive, alarm = map(subscriber, ("display", "archive", "alarm"))


class Publisher:
    """Sends events to subscribers. Those that have died are dropped."""

    def __init__(self, subscribers: Sequence[nanorpc.Client]) -> None:
        self._subscribers = list(subscribers)

    def publish(self, events: Sequence[Event]) -> None:
        """Send events to all subscribers, and wait until each has taken them, for a second at most."""
        for client in self._subscribers[:]:
            with client.batch(timeout=1.0) as batch:
                entries = [batch.notify(topic, value) for topic, value in events]
            errors = [error for entry in entries if (error := entry.exception()) is not None]
            if errors:
                print(f"{client.service} has missed {len(errors)} of {len(events)} events: {errors[0]}")
            if any(isinstance(error, nanorpc.ServerGone) for error in errors):
                self._subscribers.remove(client)


def main() -> None:
    """Publish events."""
    with ExitStack() as stack:
        # With one worker a subscriber takes one event at a time.
        processes = [stack.enter_context(ServiceProcess(service, workers=1)) for service in (display, archive, alarm)]
        clients = [stack.enter_context(process.connect()) for process in processes]
        publisher = Publisher(clients)
        for i in range(30):
            if i == 20:
                processes[-1].kill()
            publisher.publish([("temperature", 20 + i / 10), ("pressure", 1013 - i / 10), ("temperature", 21 + i / 10)])
        for client in clients[:-1]:
            print(f"{client.service} has seen {client.counts()}")


if __name__ == "__main__":
    main()
