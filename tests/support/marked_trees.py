"""Trees with `#: name` marks on disk: written, audited, and the tickets found at each mark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from esper_audit.engine import pipeline
from esper_audit.project.config import find_project
from esper_audit.tickets.ticket import Status, Ticket
from esper_audit.workflow.run import run
from esper_audit.workflow.sync import SyncResult
from support.audit_runs import ADOPTING, TODAY, write

MARK = re.compile(r"#: (.*)$", re.MULTILINE)


def put(root: Path, tree: Mapping[str, str]) -> None:
    """Replace everything below the root but tickets and git by a tree."""
    for entry in root.iterdir():
        if entry.is_dir() and entry.name not in ("tickets", "reports", ".git"):
            shutil.rmtree(entry)
        elif entry.is_file():
            entry.unlink()
    write(root, {**tree, "esper-audit.toml": ADOPTING})


def synced(root: Path) -> SyncResult:
    return run(find_project([str(root)]), pipeline.CheckRequest(today=TODAY, jobs=1)).sync


def marks(tree: Mapping[str, str]) -> set[str]:
    return {name for text in tree.values() for name in MARK.findall(text)}


def mark_at(tree: Mapping[str, str], path: str, lines: str) -> str:
    """Return the mark on a line of a tree."""
    first, _, last = lines.partition("-")
    shown = tree[path].splitlines()[int(first) - 1 : int(last or first)]
    return next(m[1] for line in shown if (m := MARK.search(line)))


def by_mark(tree: Mapping[str, str], tickets: Mapping[str, Ticket]) -> dict[str, str]:
    """Return the id of the ticket that stands at every mark."""
    places = [(t.locations[0], t.id) for t in tickets.values() if t.status is not Status.FIXED]
    return {mark_at(tree, place.path, place.lines): ticket for place, ticket in places}
