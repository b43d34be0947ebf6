"""Charts as SVG text, in whole pixels and in colours that follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

WIDTH = 760
ROW = 24  # height of a bar with its gap
LETTER = 7  # width of a letter of a label, about
STYLE = (
    ".chart{--paper:#fff;--ink:#1d2127;--dim:#5a6372;--line:#d5d9e0;--first:#0b57b0;--second:#b45309;"
    "--third:#1b6e3c}@media(prefers-color-scheme:dark){.chart{--paper:#14171c;--ink:#e4e7ec;--dim:#a3acba;"
    "--line:#363d48;--first:#8ab8ff;--second:#f0b95e;--third:#7bd09a}}"
)
FONT = "font-family='system-ui,sans-serif' font-size='13'"


class Bar(msgspec.Struct, frozen=True):
    """A horizontal bar: its label, its length from 0 to 1, and the text behind it."""

    label: str
    share: float
    text: str


class Curve(msgspec.Struct, frozen=True):
    """A line through points, with a mark for each point that is wrong."""

    label: str
    points: list[tuple[float, float]]
    color: str
    is_dashed: bool = False


def text(x: int, y: int, shown: str, *, anchor: str = "start", color: str = "ink") -> str:
    """Return a line of text whose baseline begins, is centred or ends at a point."""
    style = f"fill='var(--{color})' text-anchor='{anchor}'"
    return f"<text x='{x}' y='{y}' {style}>{escape(shown)}</text>"


def line(x: int, y: int, to_x: int, to_y: int) -> str:
    """Return a thin straight line."""
    return f"<path d='M{x} {y}L{to_x} {to_y}' stroke='var(--line)' fill='none'/>"


def document(title: str, height: int, parts: Iterable[str], *, width: int = WIDTH) -> str:
    """Return a picture on a background of its own, one element a line."""
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='chart' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' role='img' aria-label={quoteattr(title)} {FONT}>"
    )
    paper = f"<rect width='{width}' height='{height}' fill='var(--paper)'/>"
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *parts, "</svg>"])


def bars(title: str, rows: Sequence[Bar], *, color: str = "first") -> str:
    """Return bars below each other."""
    left = min(320, 20 + LETTER * max((len(row.label) for row in rows), default=0))
    right = 20 + LETTER * max((len(row.text) for row in rows), default=0)
    room = WIDTH - left - right - 16
    parts = []
    for number, row in enumerate(rows):
        y = 10 + number * ROW
        length = max(1, round(room * min(1.0, max(0.0, row.share))))
        label = (
            row.label if len(row.label) * LETTER < left else f"{row.label[: left // LETTER - 4]}..."
        )
        parts.append(text(left - 8, y + 14, label, anchor="end"))
        parts.append(
            f"<rect x='{left}' y='{y + 2}' width='{length}' height='{ROW - 8}' fill='var(--{color})'/>"
        )
        parts.append(text(left + length + 8, y + 14, row.text, color="dim"))
    return document(title, 20 + ROW * len(rows), parts)


class LogScale:
    """A logarithmic scale from values to pixels, with a tick at each power of ten."""

    def __init__(self, values: Iterable[float], start: int, end: int) -> None:
        logs = [math.log10(value) for value in values if value > 0]
        self._low = math.floor(min(logs))
        self._high = max(self._low + 1, math.ceil(max(logs)))
        self._start, self._end = start, end

    def at(self, value: float) -> int:
        """Return the pixel of a value."""
        part = (math.log10(value) - self._low) / (self._high - self._low)
        return round(self._start + part * (self._end - self._start))

    @property
    def ticks(self) -> list[int]:
        """The exponents of the ticks."""
        return list(range(self._low, self._high + 1))


def path(curve: Curve, across: LogScale, up: LogScale) -> str:
    """Return a curve as a line with a dot at each point."""
    at = [(across.at(x), up.at(y)) for x, y in curve.points if x > 0 and y > 0]
    way = "".join(f"{'L' if number else 'M'}{x} {y}" for number, (x, y) in enumerate(at))
    dash = " stroke-dasharray='5 4'" if curve.is_dashed else ""
    stroke = f"<path d='{way}' stroke='var(--{curve.color})' fill='none' stroke-width='2'{dash}/>"
    dots = [f"<circle cx='{x}' cy='{y}' r='3' fill='var(--{curve.color})'/>" for x, y in at]
    return "\n".join([stroke, *dots])
