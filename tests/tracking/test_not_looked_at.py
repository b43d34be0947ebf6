"""Code that was not analysed closes and moves no ticket."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.audit_runs import HASATTR, TODAY, audit, run, write
from support.local_rules import RAISES, with_rule
from support.marked_edits import BOTH, CUT, GROW, TWINS
from support.marked_trees import put, synced

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Resolution, Status, Ticket

# Slow: each edit is a tree that is audited before and after.
pytestmark = pytest.mark.slow

BROKEN = "def cut(:\n"


def only(root: Path) -> Ticket:
    (ticket,) = synced(root).tickets.values()
    return ticket


def accepted(root: Path, ticket: Ticket) -> None:
    """Have a person accept a ticket."""
    resolved = msgspec.structs.replace(
        ticket, resolution=Resolution(kind="wont-fix", evidence="no other way")
    ).with_status(Status.WONT_FIX, date=TODAY, by="jo", why="no other way")
    TicketStore(str(root / "tickets")).save(resolved, ticket)


def test_a_file_that_does_not_parse_keeps_its_ticket(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    before = only(tmp_path)
    put(tmp_path, {"a.py": BROKEN, "b.py": CUT})
    done = synced(tmp_path)
    assert done.tickets[before.id] == before
    assert len(done.opened) == 1


def test_a_function_that_may_be_in_a_file_that_does_not_parse_keeps_its_ticket(
    tmp_path: Path,
) -> None:
    put(tmp_path, {"a.py": BOTH})
    before = synced(tmp_path).tickets
    put(tmp_path, {"a.py": GROW, "b.py": f"{CUT}\n{BROKEN}"})
    assert synced(tmp_path).fixed == []
    put(tmp_path, {"a.py": GROW, "b.py": CUT})
    done = synced(tmp_path)
    assert (done.opened, done.fixed, done.tickets.keys()) == ([], [], before.keys())


def test_a_check_that_is_off_keeps_its_tickets_whatever_happens_to_the_file(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    before = only(tmp_path)
    put(tmp_path, {"b.py": CUT})
    (tmp_path / "esper-audit.toml").write_text(f'ignore = ["{HASATTR}"]\n')
    assert only(tmp_path) == before
    (tmp_path / "esper-audit.toml").write_text("")
    assert only(tmp_path).id == before.id


def test_a_rule_that_raises_keeps_its_tickets(tmp_path: Path) -> None:
    call = "def go(x):\n    y = start(x, 1)\n    old(y)\n    return y\n"
    with_rule(tmp_path, "local")
    write(tmp_path, {"a.py": call})
    before = only(tmp_path)
    with_rule(tmp_path, "local", RAISES)
    write(tmp_path, {"a.py": call.replace("    old(y)\n", "    old(2)\n")})
    assert only(tmp_path) == before


def test_a_ticket_without_context_hash_gets_one(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    ticket = only(tmp_path)
    TicketStore(str(tmp_path / "tickets")).save(
        msgspec.structs.replace(ticket, likeness=None), ticket
    )
    assert "likeness" not in (tmp_path / "tickets" / f"{ticket.id}.yaml").read_text()
    assert only(tmp_path) == ticket


def test_an_accepted_finding_stays_accepted_after_a_move(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    before = only(tmp_path)
    accepted(tmp_path, before)
    put(tmp_path, {"lib/b.py": CUT.replace("def cut", "def split")})
    assert audit(tmp_path).findings == []
    after = only(tmp_path)
    assert (after.id, after.status) == (before.id, Status.WONT_FIX)
    assert after.locations[0].path == "lib/b.py"


def test_an_acceptance_does_not_apply_to_a_duplicate(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": TWINS})
    first, second = sorted(
        synced(tmp_path).tickets.values(), key=lambda t: int(t.locations[0].lines)
    )
    accepted(tmp_path, first)
    repaired = TWINS.replace('    if hasattr(host, "x"):  #: one\n        second', "    second")
    put(tmp_path, {"a.py": repaired})
    after = synced(tmp_path).tickets
    assert after[second.id].status is Status.OPEN
    assert after[second.id].locations[0].lines == "5"
    put(tmp_path, {"a.py": TWINS})
    again = synced(tmp_path)
    assert (again.opened, again.reopened) == ([], [])
    assert [again.tickets[t.id].locations[0].lines for t in (first, second)] == ["3", "6"]


def test_a_fixed_ticket_matches_no_finding_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": BOTH})
    synced(tmp_path)
    put(tmp_path, {"a.py": GROW})
    (fixed,) = synced(tmp_path).fixed
    put(tmp_path, {"a.py": GROW, "b.py": CUT})
    done = synced(tmp_path)
    assert (done.reopened, done.tickets[fixed].status) == ([], Status.FIXED)
    put(tmp_path, {"a.py": BOTH, "b.py": CUT})
    assert synced(tmp_path).reopened == [fixed]


def test_a_new_finding_where_a_ticket_moved_away_from_gets_an_id_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    first = only(tmp_path)
    put(tmp_path, {"b.py": CUT})
    synced(tmp_path)
    put(tmp_path, {"a.py": CUT, "b.py": CUT})
    (second,) = synced(tmp_path).opened
    assert second == f"EA-{first.fingerprint}"
    put(tmp_path, {"c/a.py": CUT, "b.py": CUT})
    assert synced(tmp_path).opened == []
    put(tmp_path, {"a.py": CUT, "c/a.py": CUT, "b.py": CUT})
    assert synced(tmp_path).opened == [f"{second}-2"]


def test_an_editors_buffer_is_compared_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": CUT})
    synced(tmp_path)
    buffer = "import torch\n\n" + CUT.replace("def cut", "def split")
    ran = run(tmp_path, "check", "--stdin-filename", "a.py", stdin=buffer.encode())
    assert (ran.status, ran.places) == (0, [])


def test_a_check_is_replayed_until_the_moved_file_is_back(tmp_path: Path) -> None:
    put(tmp_path, {"lib/a.py": CUT})
    synced(tmp_path)
    put(tmp_path, {"lib/b.py": CUT})
    assert [run(tmp_path, "check", "lib").status for _ in range(2)] == [0, 0]
    put(tmp_path, {"lib/a.py": CUT, "lib/b.py": CUT})
    assert [run(tmp_path, "check", "lib").status for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("wrong", ["code: xyz", "around: abc", "colour: 12345678"])
def test_an_invalid_context_hash_is_named(tmp_path: Path, wrong: str) -> None:
    put(tmp_path, {"a.py": CUT})
    file = tmp_path / "tickets" / f"{only(tmp_path).id}.yaml"
    lines = file.read_text().splitlines()
    key = wrong.split(":")[0]
    kept = [line for line in lines if not line.strip().startswith(f"{key}:") or line[0] != " "]
    kept.insert(kept.index("likeness:") + 1, f"  {wrong}")
    file.write_text("\n".join(kept) + "\n")
    with pytest.raises(TicketError, match=key):
        TicketStore(str(file.parent)).load()[file.stem]
