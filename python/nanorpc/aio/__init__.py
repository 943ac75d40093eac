"""The client for :mod:`asyncio`.

::

    async with nanorpc.aio.connect("calc") as client:
        print(await client.add(2, 3))
        print(await asyncio.gather(*(client.add(i, 1) for i in range(100))))

A call whose answer comes within some microseconds ends without a trip through the event loop. Otherwise one descriptor for each loop wakes it. Any
loop with ``add_reader`` does, such as uvloop's. Coroutine functions of a :class:`nanorpc.Service` need nothing of this: every server runs them.
"""

from nanorpc.aio.client import Client, connect
from nanorpc.aio.loan import Loan
from nanorpc.aio.method import Method

__all__ = ["Client", "Loan", "Method", "connect"]
