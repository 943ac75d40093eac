"""Serves hostile clients, and others, until the standard input ends: what the role "besieged" of the tests is, in Python."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import sys
import zlib

import nanorpc

ARENA = 4 << 20

service = nanorpc.Service("torture")


@service.method(raw=True)
def echo(request: bytes) -> bytes:
    """Return the request."""
    return request


@service.method(raw=True)
def sha256(request: bytes) -> bytes:
    """Return the digest."""
    return hashlib.sha256(request).digest()


@service.method(raw=True)
async def wait(request: bytes) -> bytes:
    """Wait until the caller gives up."""
    await asyncio.sleep(1000)
    return b""


@service.method(raw=True)
async def late(request: bytes) -> bytes:
    """Return a letter after the time that it says: an id, the time in ns, some bytes, and their checksum."""
    if len(request) < 20 or request[-4:] != struct.pack("<I", zlib.crc32(request[:-4])):
        raise ValueError(f"{len(request)} bytes that are no letter")
    (delay,) = struct.unpack_from("<Q", request, 8)
    await asyncio.sleep(min(delay / 1e9, 1))
    return request


with nanorpc.Server(service, directory=os.environ["NANORPC_TEST_DIRECTORY"], arena=ARENA, max_payload=ARENA, workers=2):
    print("ready", flush=True)
    sys.stdin.read()
