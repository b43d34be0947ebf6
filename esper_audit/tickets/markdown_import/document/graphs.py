"""Graphs that people draw: boxes of line characters joined by arrows, Mermaid, or arrows in a line of text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

TOP = re.compile(r"[┌╭╔+][─═-]{2,}[┐╮╗+]")
CONNECTORS = frozenset("│─┌┐└┘├┤┬┴┼║═╭╮╰╯|-+")
HEADS = {
    "▼": (1, 0),
    "↓": (1, 0),
    "v": (1, 0),
    "▲": (-1, 0),
    "↑": (-1, 0),
    "►": (0, 1),
    "▶": (0, 1),
    "→": (0, 1),
    ">": (0, 1),
    "◄": (0, -1),
    "◀": (0, -1),
    "←": (0, -1),
    "<": (0, -1),
}
LABEL = r"(?:\[+\(*\"(?P<{0}quoted>[^\"]*)\"\)*\]+|[\[({{]+(?P<{0}plain>[^\]\"]*?)[\])}}]+(?=\s|-|=|$|;))"
NODE = rf"(?P<{{0}}>[\w.]+(?:-[\w.]+)*){LABEL}?"
LINK = re.compile(
    rf"\s*{NODE.format('a')}\s*(?:--+>|==+>|-\.+->|---+)(?:\|[^|]*\|)?\s*{NODE.format('b')}(?P<rest>.*)"
)
WAYS = ((0, 1), (0, -1), (1, 0), (-1, 0))
DECLARED = re.compile(rf"\s*{NODE.format('a')}\s*;?\s*$")
ARROW = re.compile(r"\s+(?:→|->|=>|⇒|-->)\s+")
SAID = re.compile(
    r"(?P<a>.+?)\s+(?P<verb>blocks|must precede|comes before|depends on|requires|is blocked by|blocked by)\s+(?P<b>.+)",
    re.IGNORECASE,
)
BACKWARDS = ("depends on", "requires", "is blocked by", "blocked by")


class Edge(msgspec.Struct, frozen=True):
    """One thing that has to be done before another, both in the words of the graph."""

    first: str
    then: str


class Box(msgspec.Struct, frozen=True):
    """A drawn box: its corners and the lines of text in it."""

    top: int
    left: int
    bottom: int
    right: int
    text: str

    def holds(self, row: int, column: int) -> bool:
        """Return whether a place is inside the box or on its border."""
        return self.top <= row <= self.bottom and self.left <= column <= self.right


def edges_in(text: str) -> list[Edge]:
    """Return the edges of a graph, in the order in which it is drawn."""
    lines = text.split("\n")
    boxes = list(_boxes(lines))
    if boxes:
        return list(_drawn(lines, boxes))
    return [*_mermaid(lines)] or [*_said(lines)]


def _boxes(lines: Sequence[str]) -> Iterator[Box]:
    for row, line in enumerate(lines):
        for match in TOP.finditer(line):
            left, right = match.start(), match.end() - 1
            bottom = _bottom(lines, row, left, right)
            if bottom > row + 1:
                inside = [held[left + 1 : right].strip() for held in lines[row + 1 : bottom]]
                yield Box(row, left, bottom, right, "\n".join(filter(None, inside)))


def _bottom(lines: Sequence[str], top: int, left: int, right: int) -> int:
    """Return the row in which a box ends, 0 if it does not."""
    for row in range(top + 1, len(lines)):
        edge = lines[row][left : left + 1]
        if edge in ("└", "╰", "╚", "+") and len(lines[row]) > right:
            return row
        if edge not in ("│", "║", "|", "├"):
            return 0
    return 0


def _drawn(lines: Sequence[str], boxes: Sequence[Box]) -> Iterator[Edge]:
    """Yield an edge for every line that runs from a box to an arrowhead at another."""
    free = {
        (row, column)
        for row, line in enumerate(lines)
        for column, sign in enumerate(line)
        if (sign in CONNECTORS or sign in HEADS) and not any(b.holds(row, column) for b in boxes)
    }
    for box in boxes:
        for target, source in _into(lines, boxes, free, box):
            yield Edge(source.text, target.text)


def _into(
    lines: Sequence[str], boxes: Sequence[Box], free: set[tuple[int, int]], box: Box
) -> Iterator[tuple[Box, Box]]:
    for row, column in sorted(free):
        step = HEADS.get(lines[row][column])
        if step is None or not _near(box, row, column, step):
            continue
        run = _connected((row, column), free)
        for other in boxes:
            ends = ((r, c, way) for r, c in run for way in WAYS)
            if other is not box and any(_near(other, r, c, way) for r, c, way in ends):
                yield box, other


def _near(box: Box, row: int, column: int, step: tuple[int, int]) -> bool:
    """Return whether a box begins in a direction, right there or behind a blank."""
    down, right = step
    return any(box.holds(row + down * n, column + right * n) for n in (1, 2))


def _connected(start: tuple[int, int], free: set[tuple[int, int]]) -> set[tuple[int, int]]:
    found, waiting = {start}, [start]
    while waiting:
        row, column = waiting.pop()
        around = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
        fresh = (around & free) - found
        found |= fresh
        waiting += fresh
    return found


def _mermaid(lines: Sequence[str]) -> Iterator[Edge]:
    names: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    for line in lines:
        rest = line
        while match := LINK.match(rest):
            names |= _named(match, "a") | _named(match, "b")
            links.append((match["a"], match["b"]))
            rest = match["b"] + match["rest"]
        declared = DECLARED.match(line)
        names |= _named(declared, "a") if declared else {}
    for first, then in links:
        yield Edge(names.get(first, first), names.get(then, then))


def _named(match: re.Match[str], side: str) -> dict[str, str]:
    label = match[f"{side}quoted"] or match[f"{side}plain"]
    return {match[side]: label} if label else {}


def _said(lines: Sequence[str]) -> Iterator[Edge]:
    for line in lines:
        plain = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+|[*`]", "", line).strip()
        steps = ARROW.split(plain)
        for first, then in itertools.pairwise(steps):
            yield Edge(first, then)
        said = SAID.fullmatch(plain) if len(steps) == 1 else None
        if said:
            backwards = said["verb"].lower() in BACKWARDS
            first, then = (said["b"], said["a"]) if backwards else (said["a"], said["b"])
            yield Edge(first, then)
