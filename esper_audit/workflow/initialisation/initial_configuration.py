"""The first configuration of a tree: which policies it adopts, and the commented file that says why."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from esper_audit.engine.pipeline import CheckRequest, check, discover
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import OWN_FILE, Project
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import Selection
from esper_audit.text.markdown import count
from esper_audit.workflow.initialisation.tree_marks import Mark, TreeMarks

FEWEST_FILES = 10  # in a smaller tree, no finding of a policy means little
WIDTH = 96
NO_SIGN = "no sign of it in the tree"
HEAD = """\
# The configuration of esper-audit for this tree, first written by `esper-audit init`. Edit it freely.
# `esper-audit config show PATH` prints what is in force for a file and why. A key that is commented
# out has its default here.
"""
REST = """\
# What is checked when no path is given.
# paths = ["."]

# Checks to run instead of the default ones, in addition to them, or not at all.
# select = []
# extend-select = []
# ignore = []

# Rules of your own (esper-audit rule --test FILE runs their cases), and where tickets and reports go.
# local-rules = []
# tickets = "tickets"
# reports = "reports"

# Limits of the rules on one file, and of a probe on one subject.
# [checking]
# seconds = 10.0
# memory = 512
# [probing]
# seconds = 60.0
# memory = 3072
"""


class InitialConfiguration(msgspec.Struct, frozen=True):
    """The file of a first configuration, its text, and the policies that it adopts and leaves."""

    file: str
    text: str
    adopted: list[Mark]
    left: list[Mark]


def initial_configuration(project: Project, today: str) -> InitialConfiguration:
    """Return the configuration for a tree that has none.

    Raises:
        UsageError: the tree has one.
    """
    if project.file:
        raise UsageError(
            f"{project.file}: is the configuration of this tree already, and `init` never overwrites one. "
            "Edit it, or move it away."
        )
    selection = Selection(RuleRegistry(), project.config, where="", root=project.root)
    marks = TreeMarks(project.root, discover(project, []).files, selection)
    catalogue = CheckCatalogue.of_project(project)
    policies = [one.id for one in catalogue.contracts.values() if one.kind == "policy"]
    marked = [m for m in marks.policies(catalogue.rule_contracts) if m.policy in policies]
    counts = _findings(project, today)
    measured = {catalogue.rule_contracts[check] for check in selection.rule_ids}
    kept = [
        Mark(policy, f"{count(len(marks.production), 'file')} keep it already")
        for policy in policies
        if policy in measured
        and not counts[policy]
        and len(marks.production) >= FEWEST_FILES
        and policy not in {mark.policy for mark in marked}
    ]
    adopted = [*marked, *kept]
    left = [
        Mark(
            policy,
            count(counts[policy], "finding") if counts[policy] else NO_SIGN,
        )
        for policy in policies
        if policy not in {mark.policy for mark in adopted}
    ]
    text = _text(adopted, left, marks, _opt_in(adopted, catalogue))
    return InitialConfiguration(project.resolve(OWN_FILE), text, adopted, left)


def _findings(project: Project, today: str) -> Counter[str]:
    """Return the number of findings of each contract under the profile `strict`."""
    config = msgspec.structs.replace(project.config, profile="strict")
    strict = msgspec.structs.replace(project, config=config)
    audit = check(strict, CheckRequest(today=today, baseline=False))
    return Counter(finding.contract for finding in audit.findings)


def _opt_in(adopted: Sequence[Mark], catalogue: CheckCatalogue) -> list[str]:
    """Return the checks of adopted policies that would stay off, as every check of the policy is opt-in."""
    by_contract: dict[str, list[str]] = {}
    for check_id, contract in catalogue.rule_contracts.items():
        by_contract.setdefault(contract, []).append(check_id)
    return [
        check_id
        for mark in adopted
        for check_id in by_contract.get(mark.policy, [])
        if not any(catalogue.check(one).default for one in by_contract[mark.policy])
    ]


def _text(
    adopted: Sequence[Mark], left: Sequence[Mark], marks: TreeMarks, opt_in: Sequence[str]
) -> str:
    parts = [HEAD, "\n".join(_policies(adopted, left)), _list("policies", adopted), ""]
    if opt_in:
        parts += [
            "# Their checks are off unless selected.",
            f"extend-select = {json.dumps(sorted(opt_in))}",
            "",
        ]
    if foreign := marks.foreign_code:
        parts += ["# Code of others, or generated.", f"exclude = {json.dumps(foreign)}", ""]
    else:
        parts += ["# Patterns as in .gitignore, which is respected anyway.", "# exclude = []", ""]
    if marks.is_application:
        parts += [
            "# Without packaging no code outside this tree can import it: exports and documentation are no",
            '# callers for the rules on dead code. library = ["NAME"] excepts a package.',
            "application = true",
            "",
        ]
    else:
        parts += ["# Whether no code outside this tree imports it.", "# application = false", ""]
    return "\n".join([*parts, REST])


def _policies(adopted: Sequence[Mark], left: Sequence[Mark]) -> Iterator[str]:
    yield "# Universal contracts are always checked. Policies are laws that a project gives itself;"
    yield "# `esper-audit rule CHECK` explains a check and its contract."
    seen = [mark for mark in left if mark.why != NO_SIGN]
    groups: Mapping[str, Sequence[Mark]] = {"Adopted": adopted, "Not adopted": seen}
    for title, marks in groups.items():
        if marks:
            yield f"# {title}:"
        for mark in marks:
            yield from _comment(f"{mark.policy}: {mark.why}")
    unseen = [mark.policy for mark in left if mark.why == NO_SIGN]
    if unseen:
        yield "# Not adopted, as nothing in the tree shows them:"
        yield from _comment(", ".join(unseen))


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="#   ",
        subsequent_indent="#     ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _list(key: str, adopted: Sequence[Mark]) -> str:
    if not adopted:
        return f"{key} = []"
    names = "".join(f'    "{mark.policy}",\n' for mark in adopted)
    return f"{key} = [\n{names}]"
