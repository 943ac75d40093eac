"""What ``nanorpc bench --python`` and ``python -m nanorpc.compare`` measure: a file for each, with its server and its client, used as its own
documentation recommends for latency.

Each file has ``serve(directory, max_size)``, a context manager that has a server ready when it is entered (not where something else serves), and
for each kind of call that it takes part in a context manager ``NAME(directory)`` that connects a client and gives out what makes a call:

- ``echo`` gives an :data:`Echo`, ``stamps`` a :data:`Stamps`, ``typed`` an :data:`Add`, ``batch`` a :data:`Batch`;
- ``array`` and ``mirror`` give an :class:`Arrays`: the server halves the numbers of the one, and sends those of the other back;
- ``pipeline(directory, inflight)`` gives a :class:`Pipeline`;
- ``aio`` is asynchronous, and gives an :data:`AsyncEcho`;
- ``floor`` gives what measures itself, for a number of seconds, at a size.

Sockets are made in ``directory``, which is private; no payload is longer than ``max_size`` bytes. What goes wrong is raised as the library does.

What is not part of NanoRPC need not be installed, and is imported in its own file alone, which only a process of the benchmark imports.
"""
