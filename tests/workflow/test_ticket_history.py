"""A dozen commits of a small library, audited at each: every finding has one ticket, the same all its life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.audit_runs import TODAY
from support.git_repositories import git
from support.marked_edits import MODEL, MOVED_METHOD, SILENT
from support.marked_trees import by_mark, marks, put

from esper_audit.engine import pipeline
from esper_audit.project.config import find_project
from esper_audit.tickets.ticket import Status, Ticket
from esper_audit.workflow.run import run

# Slow: a library is audited at each of a dozen commits.
pytestmark = pytest.mark.slow

Tree = dict[str, str]
Commit = tuple[str, Callable[[Tree], Tree]]
POOL = """\
def pool(items, width):
    total = sum(items) / width
    if hasattr(items, "mask"):  #: mask
        total = total * items.mask
    return clip(total, 4)
"""


def edited(path: str, old: str, new: str) -> Callable[[Tree], Tree]:
    """Return an edit of one file; the text it replaces must be there."""

    def edit(tree: Tree) -> Tree:
        assert old in tree[path]
        return {**tree, path: tree[path].replace(old, new)}

    return edit


def renamed(old: str, new: str) -> Callable[[Tree], Tree]:
    """Return the move of everything whose path starts with `old`."""
    return lambda tree: {path.replace(old, new, 1): text for path, text in tree.items()}


COMMITS: list[Commit] = [
    ("start", lambda _: {"lib/slot.py": MODEL, "lib/store.py": SILENT}),
    ("add pooling", lambda tree: {**tree, "lib/pool.py": POOL}),
    ("rename a variable", edited("lib/pool.py", "items", "rows")),
    ("rename a file", renamed("lib/pool.py", "lib/pooling.py")),
    ("say more", edited("lib/pooling.py", "    return clip", "    report(total)\n    return clip")),
    ("rename a function", edited("lib/pooling.py", "def pool", "def masked_mean")),
    ("move a method", lambda tree: {**tree, "lib/slot.py": MOVED_METHOD}),
    ("repair one", edited("lib/store.py", "except Exception:  #: check", "except KeyError:")),
    (
        "break another",
        edited("lib/slot.py", "return sum(self.parts)", "return getattr(self, 'n', 0)  #: n"),
    ),
    (
        "break the repaired one again",
        edited("lib/store.py", "except KeyError:", "except Exception:  #: check"),
    ),
    ("move the tree", renamed("lib/", "src/grown/")),
    (
        "repair one, break one",
        lambda tree: edited("src/grown/pooling.py", "clip(total, 4)", "hasattr(total, 'k')  #: k")(
            edited("src/grown/pooling.py", 'hasattr(rows, "mask"):  #: mask', "rows.mask:")(tree)
        ),
    ),
    (
        "split a file",
        lambda tree: {
            **edited("src/grown/pooling.py", tree["src/grown/pooling.py"], "import math\n")(tree),
            "src/grown/masks.py": tree["src/grown/pooling.py"],
        },
    ),
]


def test_a_ticket_lives_as_long_as_its_finding(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / ".gitignore").write_text("tickets/\nreports/\n")
    tree: Tree = {}
    lives: dict[str, str] = {}
    for subject, change in COMMITS:
        tree = change(tree)
        put(tmp_path, tree)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", subject)
        tickets = audited(tmp_path)
        standing = by_mark(tree, tickets)
        assert standing.keys() == marks(tree), subject
        assert {name: lives.setdefault(name, ticket) for name, ticket in standing.items()} == (
            standing
        ), subject
    assert len(set(lives.values())) == len(lives) == len(tickets) == 6
    assert git(tmp_path, "rev-list", "--count", "HEAD").strip() == str(len(COMMITS))


def test_a_move_is_told_in_the_history_of_its_ticket(tmp_path: Path) -> None:
    put(tmp_path, {"pool.py": POOL})
    (before,) = audited(tmp_path).values()
    put(tmp_path, {"lib/pooling.py": POOL.replace("def pool", "def masked_mean")})
    (after,) = audited(tmp_path).values()
    assert after.history[:-1] == before.history
    assert after.fingerprint != before.fingerprint
    assert (after.history[-1].before, after.history[-1].after) == (Status.OPEN, Status.OPEN)
    assert after.history[-1].why == (
        "the same finding moved from pool.py pool to lib/pooling.py masked_mean (matched by code and "
        "whole context; moved to another file; moved to another function or class)"
    )


def test_an_edit_in_place_leaves_no_line_in_the_history(tmp_path: Path) -> None:
    put(tmp_path, {"pool.py": POOL})
    (before,) = audited(tmp_path).values()
    put(tmp_path, {"pool.py": POOL.replace("items", "rows")})
    (after,) = audited(tmp_path).values()
    assert after.history == before.history
    assert after.fingerprint != before.fingerprint


def audited(root: Path) -> dict[str, Ticket]:
    return run(find_project([str(root)]), pipeline.CheckRequest(today=TODAY, jobs=1)).sync.tickets
