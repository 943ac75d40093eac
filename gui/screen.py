"""What every screen of the window can do."""

from __future__ import annotations

from PyQt5.QtCore import QSettings, pyqtSignal
from PyQt5.QtWidgets import QWidget

from nanorpc.gui.theme import Theme


class Screen(QWidget):
    """A screen. What it does not override does nothing, or says so.

    A screen is made in the window's thread, and all its methods are called there. None of them may block, but for :meth:`shutdown`.
    """

    message = pyqtSignal(str)
    """For the status bar."""

    title = ""
    """On its tab, and in the menu, with its mnemonic there."""

    def activated(self) -> None:
        """It is shown from now on: it may draw and poll."""

    def deactivated(self) -> None:
        """It is hidden from now on, and does neither. What the user has started, such as a benchmark, goes on."""

    def refresh(self) -> None:
        """F5: look again."""

    def primary(self) -> None:
        """Ctrl+R: do what the screen is there for."""

    def stop(self) -> None:
        """Esc: stop what :meth:`primary` has started."""

    def export(self) -> None:
        """Ctrl+E: ask for a file, and write to it what is shown."""
        self.message.emit("This screen has nothing to export. Results are exported from theirs: Ctrl+2, Ctrl+E")

    def shutdown(self) -> None:
        """End everything, so that no thread or process stays behind; the window is about to close. Takes seconds at most."""

    def save_state(self, settings: QSettings) -> None:
        """Write down what is to be the same when the window is opened again. The settings are in a group of the screen's own."""

    def restore_state(self, settings: QSettings) -> None:
        """Read what :meth:`save_state` has written, or nothing, the first time."""

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours from now on. Called before it is shown, and when the theme changes; widgets have their palette already."""
