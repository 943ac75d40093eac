"""One server: what it is, its methods, and its last minutes."""

from __future__ import annotations

from html import escape

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QPushButton, QSplitter, QTextBrowser, QTreeView, QVBoxLayout, QWidget

from nanorpc.commands.human import number, plural, printable, size, uptime
from nanorpc.gui.servers.columns import NOTHING, pool, spun, up, user
from nanorpc.gui.servers.methods import METHOD, MethodsModel
from nanorpc.gui.servers.record import SIGNS, Record, State
from nanorpc.gui.servers.rolling import Rolling
from nanorpc.gui.tables import fit
from nanorpc.gui.theme import Theme, mark
from nanorpc.introspection import MethodInfo


class Detail(QWidget):
    """The page of one server."""

    back = pyqtSignal()
    call_wanted = pyqtSignal(str, str)
    """The user wants to call a method: service and method, which is empty if none is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record | None = None
        self.back_button = QPushButton("← &All servers")
        self.back_button.clicked.connect(self.back)
        self.title = QLabel()
        mark(self.title, "heading")
        self.title.setTextFormat(Qt.PlainText)
        self.call_button = QPushButton("&Call a method…")
        self.call_button.clicked.connect(self._call)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setAccessibleName("What the server is")
        self.methods = MethodsModel(self)
        self.tree = QTreeView()
        self.tree.setModel(self.methods)
        self.tree.setAccessibleName("Methods")
        self.tree.setAlternatingRowColors(True)
        self.tree.setUniformRowHeights(True)
        fit(self.tree.header(), ("a method's name", "99999", "999µs", "999µs", "9999", "9999", "99999"))
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.Stretch)
        self.tree.selectionModel().currentChanged.connect(lambda *_: self._show_method())
        self.tree.activated.connect(lambda _: self._call() if self._chosen() else None)
        self.methods.modelReset.connect(self._rebuilt)
        self.about = QTextBrowser()
        self.about.setAccessibleName("The chosen method")
        self.about.setMinimumHeight(70)
        self.rolling = Rolling("the service", "The last minutes come here, second by second.")
        self.of_method = Rolling("the chosen method", "The last minutes of the chosen method come here, as soon as it has been called.", legend=False)
        self._arrange()

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.back_button)
        top.addSpacing(8)
        top.addWidget(self.title, 1)
        top.addWidget(self.call_button)
        upper = QSplitter(Qt.Horizontal)
        upper.addWidget(self.tree)
        upper.addWidget(self.about)
        upper.setSizes([640, 340])
        rows = QSplitter(Qt.Vertical)
        for widget in (upper, self.rolling, self.of_method):
            rows.addWidget(widget)
        rows.setSizes([240, 180, 160])
        for splitter in (upper, rows):
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.facts)
        layout.addWidget(rows, 1)

    def show_record(self, record: Record) -> None:
        """Show a server, or what is new of it."""
        other = record is not self.record
        self.record = record
        version = f" {printable(record.info.version)}" if record.info and record.info.version else ""
        self.title.setText(f"{SIGNS[record.state]} {printable(record.service)}{version}")
        self.facts.setText(facts(record))
        self.call_button.setEnabled(record.state is not State.GONE)
        self.methods.show_record(record)
        if other and not self.tree.currentIndex().isValid():
            self._rebuilt()
        self.rolling.show_past(record.service, record.past)
        self._show_past_of_method()

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        for plot in (self.rolling, self.of_method):
            plot.apply_theme(theme)

    def shutdown(self) -> None:
        """Draw no more."""
        for plot in (self.rolling, self.of_method):
            plot.shutdown()

    def _rebuilt(self) -> None:
        self.tree.expandAll()
        first = self.methods.index(0, 0)
        while first.isValid() and first.data(METHOD) is None:
            first = self.methods.index(0, 0, first)
        self.tree.setCurrentIndex(first)
        self._show_method()

    def _chosen(self) -> MethodInfo | None:
        info = self.tree.currentIndex().siblingAtColumn(0).data(METHOD)
        return info if isinstance(info, MethodInfo) else None

    def _show_method(self) -> None:
        info = self._chosen()
        self.about.setHtml(described(info) if info else "<p>Choose a method to see what it takes.</p>")
        self._show_past_of_method()

    def _show_past_of_method(self) -> None:
        info = self._chosen()
        past = self.record.pasts.get(info.name, ()) if self.record and info else ()
        self.of_method.show_past(info.name if info else "", past)

    def _call(self) -> None:
        if self.record is not None and self.record.state is not State.GONE:
            info = self._chosen()
            self.call_wanted.emit(self.record.service, info.name if info else "")


def facts(record: Record) -> str:
    """Return what a server is, in a line or two."""
    state = f"<b>{record.state.value}</b>{f' ({escape(record.reason)})' if record.reason else ''}"
    parts = [state, f"process {record.pid}" if record.pid else "process unknown", f"user {escape(user(record))}"]
    if record.sample is not None:
        spins, sleeps = record.waits
        share = spun(record)
        parts += [
            f"up {uptime(up(record))}",
            plural(record.clients, "client"),
            f"{number(record.calls)} calls, {number(record.errors)} errors",
            f"{size(record.memory)} shared memory",
            f"replies: {pool(record)}",
            f"waits: {number(spins)} spun, {number(sleeps)} slept ({NOTHING if share is None else f'{share * 100:.0f} %'})",
        ]
    if record.info is not None:
        parts.append(f"payloads up to {size(record.info.max_payload)}")
    text = " · ".join(parts)
    return f"{text}<br>{escape(printable(record.info.doc))}" if record.info and record.info.doc else text


def described(info: MethodInfo) -> str:
    """Return a method's signature, and what it does, as HTML."""
    signs = [sign for sign, has in (("idempotent", info.idempotent), ("a coroutine", info.coroutine), ("bytes in place", info.kind == "raw")) if has]
    doc = escape(printable(info.doc)) or "<i>It has no description.</i>"
    kind = f" <i>({', '.join(signs)})</i>" if signs else ""
    says = "" if info.kind else "<p><i>The server does not say what it takes: call it with bytes.</i></p>"
    return f"<p><code>{escape(printable(str(info)))}</code></p><p>{doc}{kind}</p>{says}"
