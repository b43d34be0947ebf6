"""The claims that the text of a ticket implies: each faithful, none from what it doubts or proposes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from esper_audit.findings.finding import Severity
from esper_audit.tickets.parts import Evidence, Resolution, TicketLocation
from esper_audit.tickets.states import ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.implied_claims import implied_claims

PLACE = TicketLocation(path="pkg/valve.py", symbol="Valve.open", lines="12-19")
TICKET = Ticket(
    id="Q7-NET-04",
    title="The valve",
    status=Status.OPEN,
    severity=Severity.P2,
    created="2025-03-02",
    categories=[],
    locations=[PLACE],
    summary="The valve.",
)


def implied(**changes: Any) -> list[dict[str, Any]]:
    """Return the implied claims of a ticket, without those of its location, ids and sentences."""
    claims = implied_claims(msgspec.structs.replace(TICKET, **changes))
    found = [msgspec.to_builtins(claim) for claim in claims if claim.id != "L1"]
    return [{k: v for k, v in one.items() if k not in ("id", "sentence")} for one in found]


AT = "pkg/valve.py:Valve.open"
PHRASES = {
    "`open()` is never called.": {"kind": "references", "of": AT, "is": "unused"},
    "`Valve.open` is dead code.": {"kind": "references", "of": AT, "is": "unused"},
    "The method `Valve.open()` has no callers.": {"kind": "references", "of": AT, "is": "unused"},
    "`Valve.open` has no unit tests.": {"kind": "references", "of": AT, "is": "untested"},
    "There are no tests for `open()`.": {"kind": "references", "of": AT, "is": "untested"},
    "Unused `speed` parameter": {
        "kind": "parameter",
        "of": AT,
        "argument": "speed",
        "is": "unused",
    },
    "The argument `speed` is never used by it.": {
        "kind": "parameter",
        "of": AT,
        "argument": "speed",
        "is": "unused",
    },
    "The `speed` field is set but never read.": {"kind": "readers", "of": "speed"},
    "The field `Valve.speed` is never read.": {
        "kind": "references",
        "of": "pkg/valve.py:Valve.speed",
        "is": "unused",
    },
    "The `Pump.speed` field is never read.": {"kind": "readers", "of": "speed"},
    "`speed` defaults to `0.5`.": {
        "kind": "parameter",
        "of": AT,
        "argument": "speed",
        "default": "0.5",
    },
    "The default of `speed` is `None`.": {
        "kind": "parameter",
        "of": AT,
        "argument": "speed",
        "default": "None",
    },
}


@pytest.mark.parametrize("sentence", PHRASES)
def test_a_plain_phrase_implies_the_claim_that_asks_it(sentence: str) -> None:
    for changes in ({"title": sentence}, {"description": f"It leaks. {sentence} It drips."}):
        assert implied(**changes) == [PHRASES[sentence]]


@pytest.mark.parametrize(
    "sentence",
    [
        "`open()` may be dead code.",
        "If `open()` is never called, remove it.",
        "`open()` is never called in the training loop.",
        "`close()` is never called.",
        "This is dead code.",
        "`open()` has no tests for the empty tank.",
        "`open()` was never used.",
        "It should be checked whether `open()` is never called.",
        "Is `open()` never called?",
    ],
)
def test_doubts_limits_and_other_symbols_imply_nothing(sentence: str) -> None:
    assert implied(description=sentence) == []


def test_code_in_a_fence_is_no_phrase() -> None:
    assert implied(description="```text\n`open()` is never called.\n```") == []


@pytest.mark.parametrize(
    ("before", "fence", "lines"),
    [
        ("The code asks twice:", "```python\n# Lines 12-13\na = b()\n```", "12-13"),
        ("The code asks twice:", "```python\n# /home/ada/pkg/valve.py:12\na = b()\n```", "12"),
        ("The code asks twice:", "```python\n# Line 12, 18\na = b()\n```", "12, 18"),
        ("The code asks twice:", "```\na = b()\n```", None),
        ("It should ask once:", "```python\na = b()\n```", "none"),
        ("After the fix:", "```python\na = b()\n```", "none"),
        ("The console:", "```\n$ python valve.py\n```", "none"),
        ("The console:", "```\nlevel 3 of 4\n```", "none"),
        ("The value is:", "```python\nV(s_{t+1}) = r + γ V(s_t)\n```", "none"),
        ("They run:", "```bash\nrm a\n```", "none"),
    ],
)
def test_a_fence_is_a_quotation_unless_it_is_proposed_or_no_code(
    before: str, fence: str, lines: str | None
) -> None:
    found = implied(description=f"{before}\n\n{fence}")
    assert [claim.get("lines") for claim in found] == ([] if lines == "none" else [lines])


def test_a_fence_of_all_files_is_a_quotation_of_each() -> None:
    places = [PLACE, TicketLocation(path="pkg/tank.py")]
    found = implied(locations=places, description="Both files have:\n\n```python\na = b()\n```")
    assert [claim["path"] for claim in found if claim["kind"] == "quote"] == [
        "pkg/valve.py",
        "pkg/tank.py",
    ]


def test_a_commit_touches_the_located_file_if_there_is_one() -> None:
    resolution = Resolution(kind=ResolutionKind.FIXED, evidence="", commits=["58ab12cd"])
    assert implied(resolution=resolution) == [
        {"kind": "commit", "commit": "58ab12cd", "touches": "pkg/valve.py"}
    ]
    places = [PLACE, TicketLocation(path="pkg/tank.py")]
    found = [
        claim
        for claim in implied(resolution=resolution, locations=places)
        if claim["kind"] == "commit"
    ]
    assert found == [{"kind": "commit", "commit": "58ab12cd"}]


def test_a_ticket_of_a_run_implies_nothing() -> None:
    written = msgspec.structs.replace(
        TICKET, fingerprint="0123456789abcdef", evidence=[Evidence(code="a = b()")]
    )
    assert implied_claims(written) == []
