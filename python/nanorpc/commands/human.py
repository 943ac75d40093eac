"""Figures and names in few characters."""

from __future__ import annotations


def number(count: int) -> str:
    """Return a count in at most 5 characters: whole below 100,000, else with three digits."""
    return str(count) if count < 100_000 else _three_digits(count, 1000, ("", "k", "M", "G", "T", "P", "E"))


def rate(per_second: float | None) -> str:
    """Return a number of calls per second, a small one with one decimal, so that few are not none; ``-`` if it is not known."""
    if per_second is None:
        return "-"
    return number(round(per_second)) if per_second == 0 or per_second >= 99.95 else f"{per_second:.1f}"


def size(count: int) -> str:
    """Return a number of bytes in at most 7 characters."""
    return _three_digits(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))


def period(ns: int | None) -> str:
    """Return a time of a histogram, whose bounds are a quarter apart, with two digits; ``-`` if there is none."""
    if ns is None:
        return "-"
    value, units = float(ns), ["ns", "µs", "ms", "s"]
    while value >= 995 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return (f"{round(value / 10) * 10}" if value >= 99.5 else f"{value:.2g}") + units[0]


def uptime(ns: int) -> str:
    """Return how long a server has run: to the second on its first day, as one may wait for it to change."""
    minutes, seconds = divmod(ns // 1_000_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}m"] if hours or minutes else []
    return "".join([*parts, f"{seconds}s"])


def plural(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: str) -> str:
    """Return a name of any characters, as a server may have given itself or a method, without those that a terminal obeys."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shorten(text: str, length: int) -> str:
    """Return a text without its middle if it is longer than so many characters: names differ at their ends."""
    if len(text) <= length:
        return text
    tail = max(length - 1, 0) // 2
    return text[: max(length - 1, 0) - tail] + "…" + text[len(text) - tail :]


def _three_digits(value: float, base: int, units: tuple[str, ...]) -> str:
    index = 0
    while value >= base and index < len(units) - 1:
        value, index = value / base, index + 1
    digits = f"{value:.3g}"
    return (f"{value:.0f}" if "e" in digits else digits) + units[index]
