"""Work that keeps CPUs busy. Methods share the server's interpreter lock; what is to run on several CPUs at once goes to a pool of processes.

    python docs/examples/worker_pool.py

starts the service, has it count primes, and ends. To have it run by itself: nanorpc serve docs/examples/worker_pool.py:service
"""

import asyncio
import functools
import itertools
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

import nanorpc
from nanorpc.testing import run_service

service = nanorpc.Service("primes", doc="Counts primes.")


def is_prime(number: int) -> bool:
    """Whether a number is prime."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def count_primes(first: int, last: int) -> tuple[int, int]:
    """Count primes from a number to below another, in a process of the pool. Returns their number and the process id."""
    return sum(map(is_prime, range(first, last))), os.getpid()


@functools.cache
def pool() -> ProcessPoolExecutor:
    """Return the pool, which the first call starts: with "spawn", as a server must not be forked."""
    # Ctrl-C reaches all processes of a terminal. The server ends the pool when it ends.
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))


@service.method(idempotent=True)
async def count(limit: int, parts: int = 4) -> tuple[int, int]:
    """Count the primes below a limit. Returns their number, and that of the processes that have counted."""
    # A coroutine function: the server takes other calls while this one waits.
    loop = asyncio.get_running_loop()
    bounds = [limit * part // parts for part in range(parts + 1)]
    counted = await asyncio.gather(*(loop.run_in_executor(pool(), count_primes, *pair) for pair in itertools.pairwise(bounds)))
    return sum(primes for primes, _ in counted), len({pid for _, pid in counted})


@service.method
def ping() -> str:
    """Answer at once."""
    return "pong"


def main() -> None:
    """Use the service."""
    with run_service(service) as client:
        counting = client.count.future(100_000)
        print(f"while it counts: {client.ping()}")
        primes, processes = counting.result()
        print(f"{primes} primes below 100000, counted by {processes} processes")


if __name__ == "__main__":
    main()
