"""What an error of a call means, and what to do about it."""

from __future__ import annotations

from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from nanorpc.commands.arguments import Mistake
from nanorpc.errors import (
    BadRequest,
    DeadlineExceeded,
    NanoRPCError,
    NotAllowed,
    PayloadTooLarge,
    RemoteError,
    ServerGone,
    ServerNotFound,
    UnknownMethod,
)
from nanorpc.gui.texts import read_only

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (BadRequest, "The arguments do not fit the method's types; the text names the one."),
    (Mistake, "Nothing has been sent."),
    (ServerNotFound, "Nobody serves this name. Refresh (F5) lists what runs; Servers says how to start one."),
    (ServerGone, "The server has died or closed during the call, which may or may not have run."),
    (DeadlineExceeded, "There was no reply within the timeout. The call may still run. A server that is stopped, or busy, does not answer."),
    (UnknownMethod, "Refresh (F5) lists the server's methods."),
    (PayloadTooLarge, "The server's limit is set where it is started, as with nanorpc serve --max-payload."),
    (NotAllowed, "The server belongs to another user, or others can write to the service directory."),
    (OSError, "Nothing has been sent."),
)

_NO_TRACEBACK = "The server has sent no traceback. One in Python does if it is started with nanorpc serve --traceback, or Server(…, traceback=True)."


def heading(error: Exception) -> str:
    """Return what has gone wrong in a line."""
    if isinstance(error, Mistake):
        return str(error)
    if isinstance(error, RemoteError):
        return f"The method failed: {error}"
    return f"{type(error).__name__}: {error}"


def advice(error: Exception) -> str:
    """Return what that means, and what to do about it."""
    for kind, text in _ADVICE:
        if isinstance(error, kind):
            return text
    if isinstance(error, RemoteError) or not isinstance(error, NanoRPCError):
        return "" if traceback_of(error) else _NO_TRACEBACK
    return ""


def traceback_of(error: Exception) -> str:
    """Return the server's traceback; empty if there is none."""
    return (isinstance(error, RemoteError) and error.traceback) or ""


class Failure(QWidget):
    """Says what an error means, and shows the traceback of the server."""

    def __init__(self) -> None:
        super().__init__()
        self.advice = QLabel()
        self.advice.setWordWrap(True)
        self.traceback = read_only("Traceback of the server", wrapped=False)
        layout = QVBoxLayout(self)
        layout.addWidget(self.advice)
        layout.addWidget(self.traceback, 1)
        layout.addStretch(0)

    def show_error(self, error: Exception) -> None:
        """Show an error."""
        said = advice(error)
        self.advice.setText(said)
        self.advice.setVisible(bool(said))
        text = traceback_of(error)
        self.traceback.setPlainText(text)
        self.traceback.setVisible(bool(text))
