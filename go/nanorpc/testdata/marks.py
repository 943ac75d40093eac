"""Calls between marks, for the test that counts the instructions of Python's client: see marks_test.go."""

import ctypes
import gc
import mmap
import sys
import threading
from collections.abc import Callable

import nanorpc

WARM_UP = 200
CODE = b"\xcc\xc3"  # INT3, RET


def code() -> mmap.mmap:
    """Return memory with a function that executes a mark."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(CODE)
    return memory


def operation(client: nanorpc.Client, name: str, size: int) -> Callable[[], object]:
    """Return what is done between two marks."""
    request = bytes(size)
    call = client.call
    return {"nothing": lambda: None, "call": lambda: call("echo", request)}[name]


def main() -> None:
    """Do what stdin says: see callWithMarks."""
    memory, service = code(), sys.argv[1]
    mark = ctypes.PYFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    gc.disable()
    with nanorpc.connect(service, spin="busy") as client:
        print("ready", flush=True)
        while line := sys.stdin.readline():
            name, size, regions = line.split()
            do = operation(client, name, int(size))
            for _ in range(WARM_UP):
                do()
            print(threading.get_native_id(), flush=True)
            while not client.call("told"):
                do()
            for _ in range(int(regions)):
                mark()
                do()
            mark()


main()
