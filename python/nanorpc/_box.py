"""The integers through which a worker of the core and a thread of Python talk: the list is that of go/pycore/worker.go."""

CONNECTION = 0
OFFSET = 1
LENGTH = 2
DEADLINE = 3
STATUS = 4
REPLY_OFFSET = 5
REPLY_LENGTH = 6
METHOD = 7
ADDRESS = 8

STAGED = 0
"""As an offset: the payload is on the worker's stage."""

REPLY = 0
"""The status of a reply. The others are those of an error: docs/protocol.md, section 4."""
EXCEPTION = 8
EXPIRED = 5
