"""The claim `finding`: a check still reports a symbol."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.audit_runs import HASATTR
from support.claim_replies import claim, reply
from support.local_rules import RAISES, rule_source
from support.sample_findings import a_finding

from esper_audit.claims.reply import Answer, Reply
from esper_audit.tickets.parts import StoredAnswer
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

MODEL = """class Model:
    def forward(self, host):
        if hasattr(host, "segments"):
            return 1

    def cut(self, host):
        return host.segments()
"""


def reply_to(
    root: Path,
    at: str,
    check: str = HASATTR,
    text: str = MODEL,
    toml: str = "",
    tickets: Iterable[Ticket] = (),
) -> Reply:
    files = {"model.py": text, "esper-audit.toml": toml}
    return reply(root, files, tickets=tickets, kind="finding", check=check, at=at)


def reported(symbol: str, path: str = "model.py", **fields: Any) -> Ticket:
    """Return the ticket of a finding that a run reported in a symbol."""
    ticket = ticket_from_finding(a_finding(), why="it hurts", date="2026-05-04")
    (place,) = ticket.locations
    place = msgspec.structs.replace(place, path=path, symbol=symbol)
    return msgspec.structs.replace(ticket, locations=[place], **fields)


@pytest.mark.parametrize("at", ["model.Model.forward", "model.py:Model", "model.py"])
def test_a_check_that_fires_there_holds(tmp_path, at) -> None:
    result = reply_to(tmp_path, at)
    assert (result.answer, result.places) == ("holds", ("model.py:3",))


@pytest.mark.parametrize("at", ["model.Model.cut", "model.py:Model.cut"])
def test_a_finding_that_was_reported_there_and_is_not_any_more_is_refuted(tmp_path, at) -> None:
    for symbol in ("Model.cut", "Model.cut.inner"):
        assert reply_to(tmp_path, at, tickets=[reported(symbol)]).answer == "refuted"


UNKNOWN = {
    "no ticket": [],
    "reported in another symbol": [reported("Model.forward")],
    "reported in a symbol whose name begins like it": [reported("Model.cutting")],
    "reported in the class around it": [reported("Model")],
    "reported in another file": [reported("Model.cut", path="other.py")],
    "reported by another check": [reported("Model.cut", check="silent-except")],
    "a ticket that a person wrote": [reported("Model.cut", fingerprint="")],
}


@pytest.mark.parametrize("tickets", UNKNOWN.values(), ids=UNKNOWN)
def test_the_silence_of_a_check_that_never_reported_it_there_refutes_nothing(
    tmp_path, tickets
) -> None:
    result = reply_to(tmp_path, "model.Model.cut", tickets=tickets)
    assert result.answer == "cannot-tell"
    assert result.evidence.endswith("it never reported it there, so its silence refutes nothing")
    assert result.places == ("model.py:6",)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("holds", "refuted"), ("refuted", "refuted"), ("stale", "cannot-tell")],
)
def test_what_a_run_decided_before_is_known(tmp_path, stored, expected) -> None:
    """A run answers `holds` or `refuted` only for a finding that was there once."""
    of_claim = claim(kind="finding", check=HASATTR, at="model.Model.cut")
    answers = [StoredAnswer(claim=of_claim.id, answer=Answer(stored), evidence="It was so.")]
    ticket = reported("", fingerprint="", claims=[of_claim], answers=answers)
    assert reply_to(tmp_path, "model.Model.cut", tickets=[ticket]).answer == expected


def test_a_method_whose_name_begins_like_it_is_another(tmp_path) -> None:
    text = MODEL.replace("def cut", "def forw").replace("host.segments()", "2")
    result = reply_to(tmp_path, "model.Model.forw", text=text, tickets=[reported("Model.forw")])
    assert result.answer == "refuted"


def test_an_authorised_finding_is_still_there(tmp_path) -> None:
    allowed = MODEL.replace(
        ":\n            return 1",
        ":  # esper-audit: allow unauthorised-hasattr -- Ada: it is foreign\n            return 1",
    )
    assert reply_to(tmp_path, "model.Model.forward", text=allowed).answer == "holds"


@pytest.mark.parametrize(
    ("at", "check"),
    [("model.Model.gone", HASATTR), ("gone.Model", HASATTR), ("model.Model", "no-such-check")],
    ids=["the symbol is gone", "the module is gone", "there is no such check"],
)
def test_what_is_gone_is_stale(tmp_path, at, check) -> None:
    assert reply_to(tmp_path, at, check).answer == "stale"


@pytest.mark.parametrize(
    ("text", "toml"),
    [
        (MODEL + "def (\n", ""),
        (MODEL, f'[[per-path]]\npath = "model.py"\nignore = ["{HASATTR}"]\n'),
        (MODEL, 'exclude = ["model.py"]\n'),
    ],
    ids=["it does not parse", "the check is off there", "the file is excluded"],
)
def test_a_file_that_was_not_looked_at_has_no_answer(tmp_path, text, toml) -> None:
    assert reply_to(tmp_path, "model.py", text=text, toml=toml).answer == "cannot-tell"


def test_a_check_that_raised_on_the_file_has_no_answer(tmp_path) -> None:
    files = {
        "model.py": "def cut(host):\n    return old(host)\n",
        "fails.py": rule_source("fails", RAISES),
        "esper-audit.toml": 'local-rules = ["fails.py"]\n',
    }
    result = reply(tmp_path, files, kind="finding", check="fails", at="model.cut")
    assert (result.answer, "the rule raised ValueError" in result.evidence) == ("cannot-tell", True)
