"""The gradient of newborn seeds by blueprint, as a probe measured it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.reports.pictures.svg import Bar, bars

RATIO = "gradient_ratio"
TITLE = "Gradient ratio by blueprint: root mean square gradient of its parameters over that of its output"
DECADES = 4  # below the largest ratio, which the bars show


def gradient_ratios(records: Iterable[ProbeRecord]) -> str:
    """Return the picture, empty where no probe measured the ratio."""
    ratios = sorted(_smallest_ratios(records).items(), key=lambda item: (-item[1], item[0]))
    largest = max((ratio for _, ratio in ratios), default=0.0)
    if largest <= 0:
        return ""
    return bars(
        TITLE, [Bar(name, _share(ratio, largest), f"{ratio:.1e}") for name, ratio in ratios]
    )


def _smallest_ratios(records: Iterable[ProbeRecord]) -> dict[str, float]:
    """Return the smallest ratio over all widths, by subject."""
    found: dict[str, float] = {}
    for record in records:
        heads, *rows = record.table or ((),)
        if RATIO not in heads:
            continue
        column = heads.index(RATIO)
        ratio = min(float(row[column]) for row in rows)
        found[record.subject] = min(ratio, found.get(record.subject, math.inf))
    return found


def _share(ratio: float, largest: float) -> float:
    """Return the length of a bar on a logarithmic scale."""
    return 0.0 if ratio <= 0 else max(0.0, 1 + math.log10(ratio / largest) / DECADES)
