"""``nanorpc bench --python``: Python clients of NanoRPC beside what people use today, :mod:`nanorpc.peers`.

Each contender is a server and a client in processes of their own, in which no other contender is imported. In each round the contenders of a case
take turns; a figure is the median over the rounds.
"""
