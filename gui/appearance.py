"""Which theme is used: the user's choice, or the desktop's."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal, pyqtSlot
from PyQt5.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher, QDBusPendingReply, QDBusVariant
from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QApplication

from nanorpc.gui.theme import DARK, EDGED, LIGHT, Theme

CHOICES = ("system", "light", "dark")

_PORTAL = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings")
_KEY = ("org.freedesktop.appearance", "color-scheme")
_PREFERS_DARK, _PREFERS_LIGHT = 1, 2


class Appearance(QObject):
    """Applies themes to the application, and tells of changes.

    What the desktop prefers is asked of its portal (Qt 5 cannot tell), and until that has answered, and where there is none, read off Qt's palette.
    """

    changed = pyqtSignal(object)
    """The new :class:`Theme`."""

    def __init__(self, application: QApplication, choice: str = "system") -> None:
        super().__init__()
        self._application = application
        application.setStyle("Fusion")
        self._desktop_is_dark = application.palette().color(QPalette.Window).lightness() < 128
        self._choice = choice if choice in CHOICES else "system"
        self._theme = self._chosen()
        self._apply()
        self._ask_desktop()

    @property
    def theme(self) -> Theme:
        """The theme in use."""
        return self._theme

    @property
    def choice(self) -> str:
        """One of :data:`CHOICES`."""
        return self._choice

    def choose(self, choice: str) -> None:
        """Choose a theme, one of :data:`CHOICES`."""
        self._choice = choice
        self._update()

    def _chosen(self) -> Theme:
        dark = self._desktop_is_dark if self._choice == "system" else self._choice == "dark"
        return DARK if dark else LIGHT

    def _update(self) -> None:
        theme = self._chosen()
        if theme is not self._theme:
            self._theme = theme
            self._apply()
            self.changed.emit(theme)

    def _apply(self) -> None:
        self._application.setPalette(self._theme.palette())
        for kind in EDGED:
            self._application.setPalette(self._theme.edged_palette(), kind)
        self._application.setStyleSheet(self._theme.style_sheet())

    def _ask_desktop(self) -> None:
        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return
        service, path, interface = _PORTAL
        bus.connect(service, path, interface, "SettingChanged", self._setting_changed)
        message = QDBusMessage.createMethodCall(service, path, interface, "Read")
        message.setArguments(list(_KEY))
        self._watcher = QDBusPendingCallWatcher(bus.asyncCall(message), self)
        self._watcher.finished.connect(self._answered)

    def _answered(self, watcher: QDBusPendingCallWatcher) -> None:
        reply = QDBusPendingReply(watcher)
        if not reply.isError():
            self._prefer(reply.argumentAt(0))

    @pyqtSlot(QDBusMessage)
    def _setting_changed(self, message: QDBusMessage) -> None:
        namespace, key, value = message.arguments()
        if (namespace, key) == _KEY:
            self._prefer(value)

    def _prefer(self, value: object) -> None:
        while isinstance(value, QDBusVariant):
            value = value.variant()
        if value in (_PREFERS_DARK, _PREFERS_LIGHT):
            self._desktop_is_dark = value == _PREFERS_DARK
            self._update()
