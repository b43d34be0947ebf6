"""Dependency graphs of a document: boxes above each other, Mermaid, arrows and sentences in lines of text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

BOX_EDGE = re.compile(r"\s*[┌└╭╰╔╚+][─═-]{2,}[┐┘╮╯╗╝+]")
BOX_LINE = re.compile(r"\s*[│║|](?P<text>[^│║|]*)[│║|]")
ARROW_DOWN = re.compile(r"[│║|\s]*[▼↓v]")
ARROW_UP = re.compile(r"[▲↑^][│║|\s]*")
LABEL = r"(?:\[+\(*\"(?P<{0}quoted>[^\"]*)\"\)*\]+|[\[({{]+(?P<{0}plain>[^\]\"]*?)[\])}}]+(?=\s|-|=|$|;))"
NODE = rf"(?P<{{0}}>[\w.]+(?:-[\w.]+)*){LABEL}?"
LINK = re.compile(
    rf"\s*{NODE.format('a')}\s*(?:--+>|==+>|-\.+->|---+)(?:\|[^|]*\|)?\s*{NODE.format('b')}(?P<rest>.*)"
)
DECLARATION = re.compile(rf"\s*{NODE.format('a')}\s*;?\s*$")
ARROW = re.compile(r"\s+(?:→|->|=>|⇒|-->)\s+")
SENTENCE = re.compile(
    r"(?P<a>.+?)\s+(?P<verb>blocks|must precede|comes before|depends on|requires|is blocked by|blocked by)\s+(?P<b>.+)",
    re.IGNORECASE,
)
INVERSE_VERBS = ("depends on", "requires", "is blocked by", "blocked by")


class Edge(msgspec.Struct, frozen=True):
    """A dependency, both ends in the words of the graph: `source` blocks `target`."""

    source: str
    target: str


def edges_in(text: str) -> list[Edge]:
    """Return the edges of a graph in order.

    A box is named by its lines of text.
    """
    lines = text.split("\n")
    if any(map(BOX_EDGE.match, lines)):
        return list(_box_edges(lines))
    return [*_mermaid_edges(lines)] or [*_text_edges(lines)]


def _box_edges(lines: Sequence[str]) -> Iterator[Edge]:
    """Yield an edge for each arrow between a box and the next box below it."""
    above, between = "", ""
    box: list[str] | None = None
    for line in lines:
        if not BOX_EDGE.match(line):
            inside = BOX_LINE.match(line)
            if box is None:
                between += line.strip()
            elif inside:
                box.append(inside["text"].strip())
        elif box is None:
            box = []
        else:
            below = "\n".join(filter(None, box))
            if above and ARROW_DOWN.fullmatch(between):
                yield Edge(above, below)
            elif above and ARROW_UP.fullmatch(between):
                yield Edge(below, above)
            above, between, box = below, "", None


def _mermaid_edges(lines: Sequence[str]) -> Iterator[Edge]:
    labels: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    for line in lines:
        rest = line
        while match := LINK.match(rest):
            labels |= _label(match, "a") | _label(match, "b")
            links.append((match["a"], match["b"]))
            rest = match["b"] + match["rest"]
        declaration = DECLARATION.match(line)
        labels |= _label(declaration, "a") if declaration else {}
    for source, target in links:
        yield Edge(labels.get(source, source), labels.get(target, target))


def _label(match: re.Match[str], side: str) -> dict[str, str]:
    """Return the label of a node by the node's name, empty without a label."""
    label = match[f"{side}quoted"] or match[f"{side}plain"]
    return {match[side]: label} if label else {}


def _text_edges(lines: Sequence[str]) -> Iterator[Edge]:
    """Yield the edges of lines such as `A → B → C` and `A depends on B`."""
    for line in lines:
        plain = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+|[*`]", "", line).strip()
        nodes = ARROW.split(plain)
        for source, target in itertools.pairwise(nodes):
            yield Edge(source, target)
        sentence = SENTENCE.fullmatch(plain) if len(nodes) == 1 else None
        if sentence:
            ends = (sentence["a"], sentence["b"])
            is_inverse = sentence["verb"].lower() in INVERSE_VERBS
            yield Edge(*reversed(ends)) if is_inverse else Edge(*ends)
