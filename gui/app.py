"""The application: Qt, the window, and what happens with an exception in a slot."""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from types import TracebackType

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import QApplication, QMessageBox

from nanorpc.gui.window import Window


def run(directory: str | None, screen: str | None) -> int:
    """Show the window until it is closed. Returns the exit status."""
    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("NanoRPC")
    window = Window(directory)
    if screen:
        window.show_screen(screen)
    sys.excepthook = _show  # PyQt5 aborts the process for an exception in a slot, unless there is a hook
    signal.signal(signal.SIGINT, lambda *_: window.close())
    wake = QTimer()  # Python handles signals only when it runs
    wake.timeout.connect(lambda: None)
    wake.start(200)
    window.show()
    gc.collect()
    gc.freeze()  # what has been imported stays: to look through it again and again would hold the window up, for 50 ms each time
    return int(application.exec_())


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an unexpected exception, and go on."""
    traceback.print_exception(kind, error, trace)
    if QApplication.activeModalWidget() is not None:
        return  # one that comes again and again, such as from a timer, must not fill the desktop
    box = QMessageBox(QMessageBox.Critical, "NanoRPC", f"{kind.__name__}: {error}")
    box.setDetailedText("".join(traceback.format_exception(kind, error, trace)))
    box.exec_()
