"""After any edits each finding has one ticket, and each ticket at most one finding."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.audit_runs import ADOPTING, audit, write

from esper_audit.findings.contract import load_contracts
from esper_audit.tickets.ticket import Status, Ticket
from esper_audit.workflow.sync import SyncResult, sync

CONTRACTS = load_contracts()
DAY = "2026-05-04"
STATEMENTS = (
    "total = start(host, 1)",
    "hasattr(host, 'a')",
    "if hasattr(host, 'a'):\n        total = 2",
    "known = hasattr(other, 'b')",
    "try:\n        host.read(4)\n    except Exception:\n        total = 0",
    "report(total)",
)
NAMES = ("cut", "grow", "pool")
PATHS = ("a.py", "lib/a.py", "lib/b.py", "src/c.py")

Function = tuple[str, tuple[str, ...]]
Tree = dict[str, tuple[Function, ...]]
functions = st.tuples(
    st.sampled_from(NAMES), st.lists(st.sampled_from(STATEMENTS), max_size=4).map(tuple)
)
files = st.lists(functions, max_size=3).map(tuple)
trees = st.dictionaries(st.sampled_from(PATHS), files, max_size=3)
edits = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 99)), min_size=1, max_size=4)


def text(functions: tuple[Function, ...], names: str) -> str:
    """Return a file; `names` says what its variable is called."""
    written = (
        f"def {name}(host, other):\n    " + "\n    ".join([*body, "return host"])
        for name, body in functions
    )
    return "\n\n\n".join(written).replace("host", names) + "\n"


def worked_on(tree: Tree, kind: int, seed: int) -> Tree:
    """Return a tree after one edit of a kind; the seed picks the place."""
    chance = random.Random(seed)
    if not tree:
        return {"a.py": (("cut", (STATEMENTS[1],)),)}
    path = chance.choice(sorted(tree))
    inside = list(tree[path])
    if kind == 0:
        return {f"new/{p}" if p.startswith("lib/") else p: f for p, f in tree.items()}
    if kind == 1:
        return {f"moved_{p}" if p == path and "/" not in p else p: f for p, f in tree.items()}
    if not inside:
        return {**tree, path: (("cut", STATEMENTS[:3]),)}
    at = chance.randrange(len(inside))
    name, body = inside[at]
    if kind == 2:
        inside[at] = (f"{name}_more", body)
    elif kind == 3:
        inside[at] = (name, (*body, chance.choice(STATEMENTS)))
    elif kind == 4:
        inside[at] = (name, body[1:])
    elif kind == 5:
        inside[at] = (name, body + body)
    elif kind == 6:
        inside.reverse()
    else:
        goes = inside.pop(at)
        other = chance.choice(sorted(tree))
        tree = {**tree, path: tuple(inside)}
        return {**tree, other: (*tree[other], goes)}
    return {**tree, path: tuple(inside)}


def histories(tree: Tree, steps: list[tuple[int, int]]) -> Iterator[dict[str, str]]:
    """Yield the texts of a tree as it is worked on."""
    yield {path: text(functions, "host") for path, functions in tree.items()}
    for number, (kind, seed) in enumerate(steps):
        tree = worked_on(tree, kind, seed)
        names = f"host{number % 2}"
        yield {path: text(functions, names) for path, functions in tree.items()}


@settings(max_examples=25)
@given(trees, edits)
def test_no_ticket_is_lost_and_none_is_shared(tree: Tree, steps: list[tuple[int, int]]) -> None:
    known: dict[str, Ticket] = {}
    for files in histories(tree, steps):
        with tempfile.TemporaryDirectory() as directory:
            root = write(Path(directory), {**files, "esper-audit.toml": ADOPTING})
            found = audit(root)
            done = sync(known, found, CONTRACTS, DAY)
            backwards = msgspec.structs.replace(found, findings=found.findings[::-1])
            again = sync(dict(reversed(known.items())), backwards, CONTRACTS, DAY)
            third = sync(done.tickets, found, CONTRACTS, DAY)
        standing = [t for t in done.tickets.values() if t.status is not Status.FIXED]
        assert sorted(t.fingerprint for t in standing) == sorted(
            f.fingerprint for f in found.findings
        )
        places = {f.fingerprint: (f.check, f.location.path) for f in found.findings}
        assert all(places[t.fingerprint] == (t.check, t.locations[0].path) for t in standing)
        assert known.keys() <= done.tickets.keys()
        assert {t.fingerprint: t.id for t in again.tickets.values() if t.status is Status.OPEN} == {
            t.fingerprint: t.id for t in standing
        }
        assert third == SyncResult(done.tickets, [], [], [])
        known = done.tickets
