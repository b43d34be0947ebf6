"""The guide to writing a claim: it shows every kind, and its examples are valid."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from esper_audit.claims.claim import Claim
from esper_audit.claims.records import KINDS as RECORDS
from esper_audit.claims.records import AnyClaim
from esper_audit.project.submodules import last_part, submodules
from esper_audit.tickets.assessment import Assessment
from esper_audit.tickets.ticket import ticket_schema

GUIDE = (Path(__file__).parents[2] / "docs" / "writing-a-claim.md").read_text(encoding="utf-8")
KINDS = {
    *("callers", "commit", "documented", "finding", "formula", "location", "parameter"),
    *("probe", "quote", "readers", "references", "test", "value"),
}


def examples() -> list[Claim]:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    claims = [block["claims"] if isinstance(block, dict) else block for block in blocks]
    return [msgspec.convert(claim, AnyClaim) for listed in claims for claim in listed]


def ticket(claim: object) -> dict[str, object]:
    return {
        "id": "T-1",
        "title": "It is so",
        "status": "open",
        "severity": "P3",
        "created": "2026-01-01",
        "categories": ["correctness"],
        "locations": [],
        "summary": "It is so.",
        "claims": [claim],
    }


def test_every_kind_has_a_module_that_answers_it() -> None:
    modules = {last_part(module) for module in submodules("esper_audit.claims.kinds")}
    assert modules == set(RECORDS) == KINDS
    for name in KINDS:
        module = importlib.import_module(f"esper_audit.claims.kinds.{name}")
        for function in ("needs", "answer"):
            parameters = inspect.get_annotations(vars(module)[function])
            assert parameters["claim"] == RECORDS[name].__name__


def test_the_guide_shows_every_kind_and_every_assessment() -> None:
    assert {claim.kind for claim in examples()} == KINDS
    assert [s for s in Assessment if f"| {s} |" not in GUIDE] == []


@pytest.mark.parametrize("claim", examples(), ids=lambda claim: claim.kind)
def test_the_examples_of_the_guide_match_the_schema(claim: Claim) -> None:
    written = msgspec.to_builtins(claim)
    jsonschema.validate(ticket(written), ticket_schema())
    for broken in ({**written, "kind": "rumour"}, {**written, "extra": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(ticket(broken), ticket_schema())


@pytest.mark.parametrize("claim", examples(), ids=lambda claim: claim.kind)
def test_a_claim_is_written_as_it_was_read(claim: Claim) -> None:
    again = msgspec.convert(msgspec.to_builtins(claim), AnyClaim)
    assert again == claim
