"""Applying edits to a text: from the last to the first, never two that overlap, nothing outside them changed."""

from __future__ import annotations

import io
from collections.abc import Iterable

import msgspec

from esper_audit.finding import Edit


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with the edits made; of two that overlap the later one waits for the next round."""
    starts = _line_starts(text)
    for edit in reversed(_not_overlapping(edits)):
        first = starts[edit.line - 1] + edit.column - 1
        last = starts[edit.end_line - 1] + edit.end_column - 1
        text = text[:first] + edit.text + text[last:]
    return text


def _not_overlapping(edits: Iterable[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(set(edits), key=msgspec.structs.astuple):
        if not kept or _start(edit) >= (kept[-1].end_line, kept[-1].end_column):
            kept.append(edit)
    return kept


def _start(edit: Edit) -> tuple[int, int]:
    return (edit.line, edit.column)


def _line_starts(text: str) -> list[int]:
    """Return the offset of each line, lines ending as Python ends them (LF, CRLF or CR)."""
    starts = [0]
    for line in io.StringIO(text, newline=""):
        starts.append(starts[-1] + len(line))
    return starts
