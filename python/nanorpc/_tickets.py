"""Who holds what of a connection.

The handler of a signal may raise an exception between any two steps of the interpreter: after a call has returned a slot, and before that is
stored; and another one in the ``except`` or ``finally`` that would give it back. So what is held is not known from what has been run, but from what
is referred to: Python ends an object that nobody has any more, in whatever way a function has ended.

Within a function of C no handler runs: those of exchange.c and hold.c take an idle slot, and make it idle again or return it, in one step.
"""

from __future__ import annotations

import weakref
from functools import partial
from itertools import count
from operator import setitem


class Ticket:
    """Stands for what its holder has of a connection: slots, or no more than its memory. Whoever has that refers to this object, until it has been
    given back.
    """

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number


class Slot(int):
    """A slot's number. Whoever has the slot refers to this object, until it has been given back."""

    ticket: Ticket


class Tickets:
    """The tickets of a connection. Its methods may be called from any thread, several at once."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[int, weakref.ref[Ticket]] = {}
        self.lost: dict[int, object] = {}
        """By number: tickets that nobody has, and that have not been given back. They come here by a step that nothing interrupts: it runs no code of
        Python."""

    def __len__(self) -> int:
        return len(self._open)

    def new(self) -> Ticket:
        """Return a new ticket."""
        number = next(self._numbers)
        ticket = Ticket(number)
        self._open[number] = weakref.ref(ticket, partial(setitem, self.lost, number))
        return ticket

    def end(self, number: int) -> None:
        """Forget a ticket, all of which has been given back."""
        self._open.pop(number, None)
        self.lost.pop(number, None)
