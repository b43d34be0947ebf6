"""The claim `parameter`: its default, and whether the function reads it."""

from __future__ import annotations

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, reply

BLEND = """
def blend(host, seed, alpha=1.0, *, mode="linear", **options):
    if mode == "linear":
        return host + alpha * seed
    return host


class Gate:
    def __init__(self, width: int = 8):
        self.rest = locals()


class Schedule:
    steps: int = 10
    warm: bool
"""
CASES = {
    "unused": ("blend", {"argument": "options", "is": "unused"}, "holds"),
    "unused, but read": ("blend", {"argument": "alpha", "is": "unused"}, "refuted"),
    "used": ("blend", {"argument": "mode", "is": "used"}, "holds"),
    "used, but not read": ("blend", {"argument": "options", "is": "used"}, "refuted"),
    "the whole scope": ("Gate", {"argument": "width", "is": "unused"}, "cannot-tell"),
    "default": ("blend", {"argument": "alpha", "default": "1.0"}, "holds"),
    "default in other quotes": ("blend", {"argument": "mode", "default": "'linear'"}, "holds"),
    "another default": ("blend", {"argument": "alpha", "default": "0.5"}, "refuted"),
    "no default": ("blend", {"argument": "host", "default": "None"}, "refuted"),
    "default of a constructor": ("Gate", {"argument": "width", "default": "8"}, "holds"),
    "default of a field": ("Schedule", {"argument": "steps", "default": "10"}, "holds"),
    "no such parameter": ("blend", {"argument": "gate", "is": "unused"}, "stale"),
    "no such function": ("mix", {"argument": "gate", "is": "unused"}, "stale"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_parameter_is_answered_by_the_signature_and_the_body(tmp_path, name: str) -> None:
    of, query, answer = CASES[name]
    result = reply(tmp_path, {"blend.py": BLEND}, kind="parameter", of=f"blend.py:{of}", **query)
    assert result.answer == answer, result.evidence


@pytest.mark.parametrize("query", [{}, {"is": "used", "default": "1"}, {"default": "1 +"}])
def test_a_claim_without_one_valid_question_is_refused(query) -> None:
    with pytest.raises(ValidationError, match="default"):
        claim(kind="parameter", of="a.py:f", argument="x", **query)
