"""`esper-audit ticket verify`, and claims in `run`: a tree with an open, a fixed and a wont-fix ticket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

BLEND = """import torch


def blend(host, seed, seed_input: torch.Tensor | None = None):
    if seed_input is None:
        seed_input = host
    return host * (seed - seed_input)


def ratio(seed_norm, host_norm):
    if host_norm == 0:
        return 0.0
    return min(10.0, seed_norm / host_norm)


def ask(host):
    # the vendor's host has no Protocol
    return hasattr(host, "segments")
"""
TICKET = """\
id: {id}
title: {id} of the tree
status: {status}
severity: P3
created: '2026-01-01'
categories: [correctness]
locations:
- path: blend.py
summary: A summary.
claims:
{claims}
"""
OPEN = """\
- id: C1
  sentence: The fallback is there.
  kind: finding
  check: argument-fallback
  at: blend.blend
  states_defect: true
- id: C2
  sentence: The estimate of the ticket is right.
  kind: formula
  left: 2 * dim * (dim // 4) + dim + dim // 4
  right: 2 * dim * (dim // 4) + dim
  over: {dim: [64, 512]}
  expect: refuted
"""
FIXED = """\
- id: C1
  sentence: The ratio is not guarded.
  kind: finding
  check: unguarded-norm-ratio
  at: blend.ratio
  states_defect: true
"""
WONT_FIX = """\
- id: C1
  sentence: The host is asked for its attributes.
  kind: finding
  check: unauthorised-hasattr
  at: blend.ask
  states_defect: true
- id: C2
  sentence: It is foreign, and somebody wrote so.
  kind: documented
  at: blend.ask
  says: no protocol
"""
SEEN = """\
answers:
- claim: C1
  answer: holds
  evidence: It was there.
"""
WITH_EVIDENCE = WONT_FIX + "resolution:\n  kind: wont-fix\n  evidence: The host is foreign.\n"


def ticket(name: str, status: str, claims: str) -> str:
    return TICKET.format(id=name, status=status, claims=claims.rstrip("\n"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "esper-audit.toml": ADOPTING,
        "blend.py": BLEND,
        "tickets/T-OPEN.yaml": ticket("T-OPEN", "open", OPEN + SEEN),
        "tickets/T-FIXED.yaml": ticket("T-FIXED", "fixed", FIXED + SEEN),
        "tickets/T-WONT.yaml": ticket("T-WONT", "wont-fix", WITH_EVIDENCE),
    }
    return write(tmp_path, files)


def test_all_as_expected_is_status_0_and_fits_eighty_columns(tree: Path) -> None:
    done = run(tree, "ticket", "verify")
    assert done.status == 0, done.out + done.err
    assert max(map(len, done.out.splitlines())) <= 80
    assert "T-OPEN P3 open: as expected" in done.out
    assert "C2 refuted (formula, as expected)" in done.out
    assert "2,128 against 2,112 at dim = 64" in done.out
    assert "131,712  131,584        +128" in done.out
    assert "3 tickets, 5 claims: 3 hold, 2 refuted" in done.out


def test_it_changes_nothing(tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    run(tree, "ticket", "verify")
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_one_ticket_may_be_named(tree: Path) -> None:
    done = run(tree, "ticket", "verify", "T-FIXED")
    assert "1 ticket, 1 claim" in done.out
    unknown = run(tree, "ticket", "verify", "T-FIXD")
    assert unknown.status == 2
    assert "unknown ticket 'T-FIXD'; did you mean 'T-FIXED'?" in unknown.err


def test_an_open_ticket_whose_defect_is_gone_is_proposed_for_closing(tree: Path) -> None:
    write(
        tree,
        {
            "blend.py": BLEND.replace(" | None = None", "").replace(
                "if seed_input is None:\n        seed_input = host\n    ", ""
            )
        },
    )
    done = run(tree, "ticket", "verify", "T-OPEN")
    assert (done.status, "T-OPEN P3 open: proposed for closing" in done.out) == (1, True)
    assert "C1 refuted (finding, states the defect, expected holds)" in done.out


def test_an_open_ticket_whose_defect_no_check_ever_reported_is_not_proposed(tree: Path) -> None:
    silent = OPEN.replace("blend.blend", "blend.ratio")
    write(tree, {"tickets/T-OPEN.yaml": ticket("T-OPEN", "open", silent)})
    for command in (("ticket", "verify", "T-OPEN"), ("run",)):
        done = run(tree, *command)
        assert "proposed for closing" not in done.out
        assert "argument-fallback looked at blend.ratio and reports nothing; it never reported" in (
            " ".join(done.out.split())
        )
        assert done.status == 3


UNGUARDED = BLEND.replace(
    "    if host_norm == 0:\n        return 0.0\n    return min(10.0, seed_norm / host_norm)",
    "    return seed_norm / host_norm",
)


def test_a_closed_ticket_whose_defect_is_there_fails(tree: Path) -> None:
    write(tree, {"blend.py": UNGUARDED})
    done = run(tree, "ticket", "verify", "T-FIXED")
    assert (done.status, "T-FIXED P3 fixed: never fixed" in done.out) == (1, True)


def test_a_wont_fix_whose_reason_is_gone_is_contradicted(tree: Path) -> None:
    write(tree, {"blend.py": BLEND.replace("    # the vendor's host has no Protocol\n", "")})
    done = run(tree, "ticket", "verify", "T-WONT")
    assert (done.status, "T-WONT P3 wont-fix: contradicted" in done.out) == (1, True)


def test_what_cannot_be_told_is_status_3(tree: Path) -> None:
    write(tree, {"blend.py": BLEND + "def (\n"})
    done = run(tree, "ticket", "verify")
    assert done.status == 3
    assert "C1 cannot tell (finding, states the defect, expected holds)" in done.out
    assert "does not parse" in done.out


STALE = """\
- id: C3
  sentence: The pump is there.
  kind: finding
  check: argument-fallback
  at: pump.py:pump
"""


def test_verify_and_run_give_the_reason_why_a_ticket_cannot_be_verified(tree: Path) -> None:
    write(tree, {"tickets/T-OPEN.yaml": ticket("T-OPEN", "open", OPEN + STALE)})
    reason = "  T-OPEN not verifiable: claim C3 is stale: there is no file pump.py\n"
    for command in (("ticket", "verify"), ("run",)):
        done = run(tree, *command)
        assert done.status == 3
        assert reason in done.out
        assert "or something that it needs was not looked at" not in done.out
        assert max(map(len, done.out.splitlines())) <= 80


def test_one_reason_of_several_tickets_is_one_line(tree: Path) -> None:
    stale = ticket("T-TWO", "open", STALE.replace("C3", "C1"))
    write(tree, {"tickets/T-OPEN.yaml": ticket("T-OPEN", "open", OPEN + STALE)})
    write(tree, {"tickets/T-TWO.yaml": stale})
    out = " ".join(run(tree, "ticket", "verify").out.split())
    assert (
        "2 tickets not verifiable: 2 claims are stale: there is no file pump.py "
        "(T-OPEN and T-TWO)" in out
    )


def test_json_says_the_same(tree: Path) -> None:
    done = run(tree, "ticket", "verify", "--format", "json")
    content = json.loads(done.out)
    assert content["exit_status"] == done.status == 0
    by_id = {ticket["id"]: ticket for ticket in content["tickets"]}
    formula = by_id["T-OPEN"]["claims"][1]
    assert (formula["claim"]["kind"], formula["answer"], formula["expected"]) == (
        "formula",
        "refuted",
        ["refuted"],
    )
    assert formula["table"][1:] == [
        [64, "2,128", "2,112", "+16"],
        [512, "131,712", "131,584", "+128"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        (
            "  check: argument-fallback\n",
            "  check: argument-fallback\n  chek: x\n",
            "claims[0].chek: unknown key; did you mean 'check'?",
            15,
        ),
        (
            "  kind: finding",
            "  kind: findings",
            "claims[0].kind: Invalid value 'findings'; known: callers, commit, documented, finding,",
            13,
        ),
        (
            "dim // 4\n  right",
            "dims // 4\n  right",
            "claims[1].left: claim C2 (formula): `left`: unknown variable `dims` (declared: dim)",
            20,
        ),
        ("  at: blend.blend\n", "", "claims[0].at: is missing", 11),
        ("  at: blend.blend", "  at: 'blend blend'", "claims[0].at: Expected an address:", 15),
        ("- id: C2", "- id: C1", "claims: `claims`: duplicate id C1. Give each claim", 10),
        (
            "  expect: refuted",
            "  expect: false",
            "claims[1].expect: Expected `str | null`, got `bool`",
            23,
        ),
    ],
    ids=[
        "a key too many",
        "no such kind",
        "a broken formula",
        "a key too few",
        "no address",
        "an id twice",
        "no answer",
    ],
)
def test_a_broken_query_is_an_error_with_file_line_and_key(tree, old, new, message, line) -> None:
    path = tree / "tickets" / "T-OPEN.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    done = run(tree, "ticket", "verify")
    assert done.status == 2
    assert f"tickets/T-OPEN.yaml:{line}: " in done.err
    assert message in done.err


def test_a_run_asks_claims_and_shows_them_on_the_pages(tree: Path) -> None:
    first = run(tree, "run")
    assert "5 claims: 5 as expected" in first.out, first.out + first.err
    page = (tree / "reports" / "tickets" / "T-OPEN.md").read_text()
    assert "## Claims" in page
    assert "`formula`, left `2 * dim * (dim // 4) + dim + dim // 4`" in page
    assert 'over `{"dim":[64,512]}`, expected to be refuted | refuted, as expected |' in page
    assert "at `blend.blend`, states the defect | holds |" in page
    assert "| 64 | 2,128 | 2,112 | +16 |" in page
    audit = (tree / "reports" / "audit.md").read_text()
    assert "5 claims of 3 tickets: 5 as expected, 0 not." in audit
    assert "refuted |" not in audit  # a refuted claim that was expected is no news
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert run(tree, "run").status == 0
    assert run(tree, "report").status == 0
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_show_tells_what_each_claim_answered_last(tree: Path) -> None:
    assert "not verified yet: " in run(tree, "ticket", "show", "T-OPEN").out
    run(tree, "run")
    shown = run(tree, "ticket", "show", "T-OPEN").out
    assert "not verified yet" not in shown
    claims = shown.partition("\nClaims\n")[2].partition("\n\n")[0]
    assert " refuted: " in claims
    assert " holds: " in claims
    assert "\n    > " in claims
    assert max(map(len, shown.splitlines())) <= 80


def test_a_run_fails_on_a_regression_run_after_run(tree: Path) -> None:
    run(tree, "run")
    write(tree, {"blend.py": UNGUARDED})
    for _ in range(2):
        done = run(tree, "run")
        assert (
            "T-FIXED regressed: closed, and its defect, which was seen gone, is present again"
            in " ".join(done.out.split())
        )
    assert done.status == 1
    assert "**regressed**" in (tree / "reports" / "audit.md").read_text()


def test_an_accepted_ticket_keeps_its_finding_quiet_only_while_its_claims_hold(tree: Path) -> None:
    run(tree, "run")
    made = next(p for p in (tree / "tickets").glob("EA-*.yaml") if "hasattr" in p.read_text())
    claims = WITH_EVIDENCE.replace("\n", "\n", 1)
    made.write_text(
        made.read_text().replace("status: open", "status: wont-fix") + "claims:\n" + claims
    )
    assert "1 accepted" in run(tree, "run").out
    write(tree, {"blend.py": BLEND.replace("# the vendor's host has no Protocol", "# ours")})
    done = run(tree, "run")
    assert (done.status, "0 accepted" in done.out) == (1, True)


CALLERS = """\
- id: C3
  sentence: Every caller passes seed_input.
  kind: callers
  of: blend.blend
  argument: seed_input
  omitting: 0
"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("blend(1, 2, 3)", "severity P4 proposed: latent: no production call meets it"),
        ("blend(1, 2)", "manifest: production calls meet the defect"),
        ("blend(*rows)", "P3 open"),
    ],
    ids=["latent", "manifest", "not known"],
)
def test_a_defect_that_no_caller_meets_is_latent(tree: Path, call: str, message: str) -> None:
    claims = CALLERS.replace("0", "at most 9")
    write(tree, {"use.py": f"from blend import blend\n\n\ndef use(rows):\n    return {call}\n"})
    write(tree, {"tickets/T-OPEN.yaml": ticket("T-OPEN", "open", OPEN + claims)})
    done = run(tree, "ticket", "verify", "T-OPEN")
    assert done.status == 0, done.out
    assert message in done.out
    assert ("proposed" in done.out) == ("proposed" in message)


IMPORTED = """\
evidence:
- place: /home/somebody/src/blend.py:4-5
  code: |
    def blend(host, seed, seed_input: torch.Tensor | None = None):
        ...
- place: blend.py:1
  code: import numpy
resolution:
  kind: fixed
  evidence: It was repaired.
  commits: [206841ef]
"""


def test_a_ticket_without_claims_is_asked_what_it_quotes_and_cites(tree: Path) -> None:
    text = ticket("T-OLD", "fixed", "[]").replace("claims:\n[]\n", "") + IMPORTED
    write(tree, {"tickets/T-OLD.yaml": text})
    done = run(tree, "ticket", "verify", "T-OLD")
    assert done.status == 0, done.err
    assert "T-OLD P3 fixed: not vouched for" in done.out
    assert "Q1 holds (quote, implied)" in done.out
    assert "Q2 refuted (quote, implied)" in done.out
    assert "K1 cannot tell (commit, implied)" in done.out
    before = (tree / "tickets" / "T-OLD.yaml").read_text()
    assert "answers" not in before
    run(tree, "run")
    assert "answers" not in (tree / "tickets" / "T-OLD.yaml").read_text()
