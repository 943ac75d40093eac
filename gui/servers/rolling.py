"""TEMP"""

from PyQt5.QtWidgets import QWidget


class Rolling(QWidget):
    def show_past(self, past):
        self.past = past
