"""Replay a repository's history: audit each N-th commit, bring tickets up to date, tell every change of identity.

`python benchmarks/ticket_replay.py [REPOSITORY] [--every N] [--select CHECKS]`

Prints, for each commit, the tickets that were opened, found fixed, opened again and matched elsewhere
than by fingerprint, each with its place and message, to be read by a person. The rules are today's, all
of them unless told otherwise; the configuration of the commits is left out.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from esper_audit.engine import pipeline
from esper_audit.findings.contract import load_contracts
from esper_audit.project.config import find_project
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.sync import SyncResult, sync

TODAY = "2026-01-01"


def git(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, check=True
    ).stdout


def commits(repository: Path, every: int) -> list[str]:
    """Return the commits of the first parents, oldest first, the last one always among them."""
    found = git(repository, "log", "--first-parent", "--reverse", "--format=%h").decode().split()
    return [c for i, c in enumerate(found) if i % every == 0 or i == len(found) - 1]


def synced(
    repository: Path, commit: str, select: list[str], known: Mapping[str, Ticket]
) -> SyncResult:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with tarfile.open(fileobj=io.BytesIO(git(repository, "archive", commit))) as archive:
            archive.extractall(root, filter="data")
        (root / "pyproject.toml").unlink(missing_ok=True)
        (root / "esper-audit.toml").write_text("")
        request = pipeline.CheckRequest(today=TODAY, select=select, baseline=False, cache=False)
        audit = pipeline.check(find_project([directory]), request)
        return sync(known, audit, load_contracts(), TODAY)


def changes(before: Mapping[str, Ticket], done: SyncResult) -> list[tuple[str, Ticket]]:
    """Return what became of tickets, the quietly refreshed ones left out."""
    found = [
        (what, done.tickets[i])
        for what in ("opened", "reopened", "fixed")
        for i in getattr(done, what)
    ]
    named = {ticket.id for _, ticket in found}
    for ticket_id, ticket in before.items():
        if ticket_id not in named and done.tickets[ticket_id].fingerprint != ticket.fingerprint:
            found.append(("matched", done.tickets[ticket_id]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?", type=Path, default=Path())
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--select", default="all")
    options = parser.parse_args()
    tickets: Mapping[str, Ticket] = {}
    totals: Counter[str] = Counter()
    for commit in commits(options.repository, options.every):
        done = synced(options.repository, commit, options.select.split(","), tickets)
        print(f"{commit}: {len(done.tickets)} tickets")
        for what, ticket in changes(tickets, done):
            totals[what] += 1
            place = ticket.locations[0]
            where = f"{place.path}:{place.lines} {place.symbol}"
            print(f"  {what} {ticket.id} {where} {ticket.title[:90]}")
            if what == "matched":
                print(f"    {ticket.history[-1].why}")
        tickets = done.tickets
    print(", ".join(f"{count} {what}" for what, count in totals.items()))


if __name__ == "__main__":
    main()
