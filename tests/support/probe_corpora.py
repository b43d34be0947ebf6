"""The corpus of each probe, from the file of its name in `tests/subjects`."""

from __future__ import annotations

import importlib

from subjects.cases import Case

from esper_audit.probes.probe import discover_probes


def corpus(probe: str) -> list[Case]:
    """Return the cases of a probe; each promises just that probe."""
    module = importlib.import_module(f"subjects.{probe.replace('-', '_')}")
    return list(module.cases())


def corpora() -> list[tuple[str, Case]]:
    return [(probe, case) for probe in discover_probes() for case in corpus(probe)]


def subjects(probe: str = "") -> list[object]:
    """Return the subjects of all corpora that are about one probe; for `load_subjects`."""
    return [case.subject for case in corpus(probe or "causality")]
