"""One client, and many threads that use it in all ways."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

import nanorpc

THREADS = 32
ROUNDS = 12

service = nanorpc.Service("threads")


@service.method
def add(a: int, b: int = 1) -> int:
    return a + b


@service.method
async def add_later(a: int, b: int) -> int:
    return a + b


@service.method
def filled(length: int, fill: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(length, fill, np.uint8)


@service.method(raw=True)
def summed(request: bytes) -> bytes:
    return sum(request).to_bytes(8, "little")


def one_round(client: nanorpc.Client, seed: int, i: int) -> int:
    """Return the sum of what calls of all kinds have returned."""
    size = (seed * 7919 + i * 104729) % 100_000 if i % 3 == 0 else seed + i
    total = client.add(seed, i)
    total += client.add.future(a=seed, b=i).result(60)
    total += client.add_later(seed, b=i)
    with client.batch() as batch:
        entries = [batch.add(seed, i) for _ in range(seed % 7 + 1)]
    total += sum(entry.result() for entry in entries)
    total += int.from_bytes(client.call("summed", bytes([i]) * size), "little")
    array = client.filled(size, i)
    total += int(array.sum())
    with client.loan("summed", size) as loan:
        loan.view[:] = bytes([i]) * size
        total += int.from_bytes(bytes(loan.send()), "little")
    total += int.from_bytes(bytes(client.call_lease("summed", bytes([i]) * size)), "little")
    assert (array == i).all()
    return total


def expected(seed: int, i: int) -> int:
    size = (seed * 7919 + i * 104729) % 100_000 if i % 3 == 0 else seed + i
    return (seed + i) * (3 + seed % 7 + 1) + 4 * i * size


def test_a_client_of_32_threads(serve: Callable[..., nanorpc.Client], all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    client = serve(service, client={"timeout": 60})
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            wrong.extend((seed, i) for i in range(ROUNDS) if one_round(client, seed, i) != expected(seed, i))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    all_slots_are_free(client)
