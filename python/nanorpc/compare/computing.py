"""A thread that computes beside calls, as the rest of a program may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def computing(wanted: bool) -> Iterator[Callable[[], int]]:
    """Have a thread compute in Python all the time, if that is wanted, and give out what returns its CPU time in ns."""
    if not wanted:
        yield lambda: 0
        return
    stop = False

    def compute() -> None:
        number = 0
        while not stop:
            number += 1

    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    try:
        yield lambda: time.clock_gettime_ns(clock)
    finally:
        stop = True
        thread.join()
