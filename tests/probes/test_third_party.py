"""A third party probes its own registry and slot with a declaration of 60 lines and no change of its code."""

from __future__ import annotations

import os
from collections import Counter

import pytest
import support

from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.units import probe_subjects

# Slow: a whole registry and its slot are probed in the sandbox.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

FILE = os.path.join(os.path.dirname(support.__file__), "third_party_subjects.py")


def test_a_foreign_registry_and_slot_are_probed_as_they_are() -> None:
    records = [r for r in probe_subjects(load_subjects(f"{FILE}:subjects")) if r.state]
    verdicts = Counter(record.verdict for record in records)
    assert verdicts == {Verdict.PASS: len(records) - 2, Verdict.FAIL: 2}
    breaking = {(r.unit, r.code) for r in records if r.verdict is Verdict.FAIL}
    assert breaking == {
        ("fullgraph[socket@training]", "break"),
        ("fullgraph[socket@blending]", "break"),
    }
    assert len({record.probe for record in records}) == 12


def test_the_declaration_fits_on_a_screen_or_two() -> None:
    with open(FILE, encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    assert len(lines) <= 60
