"""Declared against actual parameters over the widths, a small chart for each blueprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from esper_audit.findings.probe_record import Plain, ProbeRecord
from esper_audit.reports.pictures.svg import Curve, LogScale, document, line, path, text
from esper_audit.text.markdown import count

COLUMNS = ("blueprint", "dim", "declared", "actual")
TITLE = "Declared and actual parameters by width"
ACROSS = 3  # charts beside each other
SIDE, TALL = 250, 210  # of one chart, with its margins
MOST_CHARTS = 12
MOST_LETTERS = 32  # of a name
Counts = dict[float, tuple[float, float]]


def parameter_counts(records: Iterable[ProbeRecord]) -> str:
    """Return the picture, empty where no probe counted parameters."""
    blueprints = _counts(records)
    if not blueprints:
        return ""
    chosen = sorted(blueprints.items(), key=lambda item: (not _wrong(item[1]), item[0]))
    shown, others = chosen[:MOST_CHARTS], len(chosen) - MOST_CHARTS
    verdict = "differ as well" if _wrong(shown[-1][1]) else "are equal at every width"
    rest = f"; {others} others {verdict}" if others > 0 else ""
    legend = f"actual (line) and declared (dashed) parameters over the width, logarithmic{rest}"
    parts = [text(10, 20, legend, color="dim")]
    for number, (name, counts) in enumerate(shown):
        row, column = divmod(number, ACROSS)
        parts += _chart(name, counts, 10 + column * SIDE, 34 + row * TALL)
    rows = -(-len(shown) // ACROSS)
    return document(TITLE, 40 + rows * TALL, parts)


def _counts(records: Iterable[ProbeRecord]) -> dict[str, Counts]:
    """Return declared and actual parameters by blueprint and width."""
    found: dict[str, Counts] = {}
    for record in records:
        heads, *rows = record.table or ((),)
        if not set(COLUMNS) <= set(heads):
            continue
        for row in rows:
            name, dim, declared, actual = _cells(heads, row)
            found.setdefault(str(name), {})[float(dim)] = (float(declared), float(actual))
    return _without_copies(found)


def _without_copies(found: Mapping[str, Counts]) -> dict[str, Counts]:
    """Return the counts of each blueprint once, where a subject and a catalogue hold the same one."""
    kept: dict[str, Counts] = {}
    for name, counts in sorted(found.items(), key=lambda item: ("/" in item[0], item[0])):
        short = name.rpartition("/")[2]
        if _has_parameters(counts) and kept.get(short) != counts:
            kept[name] = counts
    return kept


def _wrong(counts: Counts) -> int:
    return sum(declared != actual for declared, actual in counts.values())


def _cells(heads: Sequence[Plain], row: Sequence[Plain]) -> list[Plain]:
    by_head = dict(zip(heads, row, strict=True))
    return [by_head[column] for column in COLUMNS]


def _has_parameters(counts: Counts) -> bool:
    """Return whether a blueprint has a parameter at some width."""
    return any(max(pair) > 0 for pair in counts.values())


def _chart(name: str, counts: Counts, x: int, y: int) -> list[str]:
    left, right, top, bottom = x + 34, x + SIDE - 16, y + 44, y + TALL - 36
    across = LogScale(counts, left, right)
    up = LogScale((value for pair in counts.values() for value in pair), bottom, top)
    wrong = _wrong(counts)
    verdict = "equal at every width" if not wrong else f"differ at {count(wrong, 'width')}"
    actual = Curve(name, [(dim, pair[1]) for dim, pair in sorted(counts.items())], "first")
    declared = Curve(
        name, [(dim, pair[0]) for dim, pair in sorted(counts.items())], "second", is_dashed=True
    )
    ticks = [
        part
        for power in (up.ticks[0], up.ticks[-1])
        for part in (
            line(left, up.at(10.0**power), right, up.at(10.0**power)),
            text(left - 4, up.at(10.0**power) + 4, f"1e{power}", anchor="end", color="dim"),
        )
    ]
    widths = [
        text(across.at(dim), bottom + 16, f"{dim:,.0f}", anchor="middle", color="dim")
        for dim in (min(counts), max(counts))
    ]
    return [
        text(x + 4, y + 12, name[:MOST_LETTERS]),
        text(x + 4, y + 29, verdict, color="second" if wrong else "third"),
        *ticks,
        *widths,
        path(actual, across, up),
        path(declared, across, up),
    ]
