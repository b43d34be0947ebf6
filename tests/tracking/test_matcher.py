"""A finding keeps its ticket through edits, in runs, as baseline and since a revision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.audit_runs import TODAY, audit
from support.git_repositories import git
from support.marked_edits import NEW_FINDING, SAME_FINDING, Edit
from support.marked_trees import by_mark, mark_at, marks, put, synced

from esper_audit.engine import pipeline
from esper_audit.findings.finding import Finding
from esper_audit.project.config import find_project
from esper_audit.tracking.current_tree import CurrentTree
from esper_audit.tracking.match_rules import MATCH_RULES
from esper_audit.tracking.matcher import match_findings
from esper_audit.tracking.observation import observation_of_ticket, observations
from esper_audit.workflow.sync import SyncResult

# Slow: each edit is a tree that is audited before and after.
pytestmark = pytest.mark.slow

EDITS = {**SAME_FINDING, **NEW_FINDING}
WITNESSES = {
    "place and code": "the first of two identical ones fixed",
    "place and shape of the code": "a variable renamed in and around",
    "place and neighbours": "an argument added to the call",
    "code, name and context": "a method moved to another class",
    "code, symbol and context": "a file renamed",
    "code and context": "a function renamed",
    "shape, symbol and context": "a file, its function's variables renamed",
    "shape and context": "a function and a variable renamed",
    "code, symbol and neighbours": "a file renamed and most of the function rewritten",
    "code and neighbours": "a function renamed and most of it rewritten",
    "statement, removed from its old place": "a finding moved between functions",
    "statement and both neighbours": "a block moved to another file",
    "code, name and whole context": "a file and its class renamed",
    "code and whole context": "a file with nothing else in it renamed",
    "statement and symbol": "a file with a function of one line renamed and a line added",
    "statement of a removed function": "a function of one line renamed and a line added",
    "shape and several lines of context": "a file, its function and its variables renamed",
}
every_edit = pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)


def standing(tree: Mapping[str, str], findings: list[Finding]) -> set[str]:
    return {mark_at(tree, f.location.path, str(f.location.line)) for f in findings}


@every_edit
def test_a_ticket_stays_with_its_finding(tmp_path: Path, edit: Edit) -> None:
    put(tmp_path, edit.before)
    before = by_mark(edit.before, synced(tmp_path).tickets)
    assert before.keys() == marks(edit.before)
    put(tmp_path, edit.after)
    done = synced(tmp_path)
    after = by_mark(edit.after, done.tickets)
    assert after.keys() == marks(edit.after)
    stayed = before.keys() & after.keys()
    assert {name: after[name] for name in stayed} == {name: before[name] for name in stayed}
    assert sorted(done.opened) == sorted(after[name] for name in after.keys() - before.keys())
    assert sorted(done.fixed) == sorted(before[name] for name in before.keys() - after.keys())
    assert done.reopened == []


@every_edit
def test_a_second_run_on_the_edited_tree_changes_nothing(tmp_path: Path, edit: Edit) -> None:
    put(tmp_path, edit.before)
    synced(tmp_path)
    put(tmp_path, edit.after)
    first = synced(tmp_path)
    assert synced(tmp_path) == SyncResult(first.tickets, [], [], [])


@every_edit
def test_as_a_baseline_a_ticket_excuses_its_own_finding_only(tmp_path: Path, edit: Edit) -> None:
    put(tmp_path, edit.before)
    synced(tmp_path)
    put(tmp_path, edit.after)
    done = audit(tmp_path)
    assert standing(edit.after, done.findings) == marks(edit.after) - marks(edit.before)
    assert len(done.findings) + len(done.ticketed) == len(marks(edit.after))


@every_edit
def test_since_a_revision_only_the_new_ones_are_shown(tmp_path: Path, edit: Edit) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    put(tmp_path, edit.before)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "before")
    put(tmp_path, edit.after)
    request = pipeline.CheckRequest(today=TODAY, since="HEAD", jobs=1, cache=False)
    done = pipeline.check(find_project([str(tmp_path)]), request)
    assert standing(edit.after, done.findings) == marks(edit.after) - marks(edit.before)


@pytest.mark.parametrize(("rule", "name"), WITNESSES.items())
def test_each_match_rule_recognises_an_edit(tmp_path: Path, rule: str, name: str) -> None:
    put(tmp_path, EDITS[name].before)
    known = [observation_of_ticket(ticket) for ticket in synced(tmp_path).tickets.values()]
    put(tmp_path, EDITS[name].after)
    current_tree = CurrentTree(str(tmp_path))
    done = audit(tmp_path)
    standing = [*done.findings, *(ticketed.finding for ticketed in done.ticketed)]
    new = observations(standing, current_tree.source)
    found = match_findings(
        known, new, current_tree, may_move={observation.key for observation in known}
    )
    assert f"matched by {rule}" in {match.why.partition("; ")[0] for match in found}


def test_every_match_rule_has_an_edit() -> None:
    assert WITNESSES.keys() == {rule.name for rule in MATCH_RULES}
