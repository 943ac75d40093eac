"""Calls between marks, and methods with marks, for the test that counts the instructions of Python's client and server: see marks_test.go."""

import ctypes
import gc
import mmap
import sys
import threading
from collections.abc import Callable

import nanorpc

WARM_UP = 200
CODE = b"\xcc\xc3"  # INT3, RET


UNMARKED, MARKED, WHO_ASK = range(3)  # first bytes of requests


def marker() -> Callable[[], None]:
    """Return a function that executes a mark."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(CODE)
    mark = ctypes.PYFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    mark.memory = memory  # stays as long as the function
    return mark


def operation(client: nanorpc.Client, name: str, size: int) -> Callable[[], object]:
    """Return what is done between two marks."""
    request = bytes(size)
    call = client.call

    def loan() -> None:
        loan = client.loan("raw", size)
        view = loan.view
        view[0] = UNMARKED
        del view
        with loan.send() as reply:
            assert reply.view[0] == UNMARKED

    return {"nothing": lambda: None, "call": lambda: call("echo", request), "loan": loan}[name]


def call(service: str) -> None:
    """Do what stdin says: see callWithMarks."""
    mark = marker()
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


def serve(name: str) -> None:
    """Serve methods that execute a mark when their request says so, until stdin ends: see serveWithMarks."""
    mark = marker()
    service = nanorpc.Service(name)

    @service.method(raw=True)
    def echo(request: bytes) -> bytes:
        if request[0] == UNMARKED:
            return request
        if request[0] == WHO_ASK:
            return threading.get_native_id().to_bytes(8, "little")
        mark()
        return request

    @service.method(raw=True)
    def raw(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        first = request.view[0]
        view = reply.view(len(request))
        view[:8] = request.view[:8] if first != WHO_ASK else threading.get_native_id().to_bytes(8, "little")
        view[-1] = request.view[-1]
        if first == MARKED:
            mark()

    with nanorpc.Server(service, spin="busy", workers=1):
        print("ready", flush=True)
        sys.stdin.read()


gc.disable()
{"call": call, "serve": serve}[sys.argv[1]](sys.argv[2])
