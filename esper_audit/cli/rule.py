"""`esper-audit rule`: list the checks, or explain one from its own specification."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from esper_audit.cli.options import project_options
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.reports.rules_page import case_code, check_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.probe_catalogue import ProbeDescription
from esper_audit.rules.rule import Check, Invalid, Rule, Valid
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.terminal import WIDTH


@click.command("rule", short_help="List the checks, or explain one of them.")
@click.argument("check_id", required=False, metavar="[ID]")
@project_options
def command(project: Project, check_id: str | None) -> None:
    """List the checks (rules and probes), or explain the check ID.

    The explanation shows the contract, what is checked and why, code with and without a finding, and
    the options.
    """
    catalogue = CheckCatalogue.of_project(project)
    if check_id is None:
        lines = _list_lines(catalogue)
    elif check_id in catalogue.checks:
        lines = _explanation(catalogue.checks[check_id], catalogue)
    else:
        raise UsageError(f"unknown check '{check_id}'{did_you_mean(check_id, catalogue.checks)}")
    click.echo("\n".join(lines))


def _list_lines(catalogue: CheckCatalogue) -> Iterator[str]:
    for check in catalogue.checks.values():
        notes = [_kind(check), "" if check.default else "off unless selected"]
        noted = ", ".join(filter(None, notes))
        title = check.documentation().title + (f" ({noted})" if noted else "")
        head = f"{check.id:<29} {check.severity}  "
        yield from textwrap.wrap(
            title, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
        )


def _kind(check: type[Check]) -> str:
    if issubclass(check, ProbeDescription):
        return "probe"
    return "whole tree" if issubclass(check, TreeRule) else ""


def _explanation(check: type[Check], catalogue: CheckCatalogue) -> Iterator[str]:
    page = check_page(check)
    contract = catalogue.contracts[check.contract]
    yield from textwrap.wrap(f"{check.id}: {page.title}.", WIDTH)
    yield ""
    yield from textwrap.wrap(page.facts, WIDTH)
    paragraphs = {
        "Contract": f"{contract.statement} {contract.why}",
        "What": page.what,
        "Why": page.why,
        "Not reported": page.quiet,
    }
    for heading, text in paragraphs.items():
        yield ""
        yield from textwrap.wrap(f"{heading}: {text}", WIDTH)
    if issubclass(check, Rule):
        yield from _cases(check)
    elif issubclass(check, TreeRule):
        yield from _tree_cases(check)
    for option in page.options:
        yield from ("", f"Option {option['name']} (default {option['default']})")
    if page.options and issubclass(check, (Rule, TreeRule)):
        yield from textwrap.wrap(" ".join((check.Options.__doc__ or "").split()), WIDTH)


def _cases(rule: type[Rule]) -> Iterator[str]:
    for case in rule.INVALID:
        yield from ("", f"Finding: {case.name}", *_code(case))
        yield from (f"    line {line}: {message}" for line, message in case.expected)
        if case.fixed is not None:
            yield from ("  fixed:", textwrap.indent(case.fixed.rstrip(), "    "))
    for valid in rule.VALID:
        yield from ("", f"No finding: {valid.name}", *_code(valid))


def _tree_cases(rule: type[TreeRule]) -> Iterator[str]:
    for case in rule.INVALID:
        yield from ("", f"Finding: {case.name}", *_code(case))
        yield from (f"    {path}, line {line}: {message}" for path, line, message in case.expected)
    for valid in rule.VALID:
        yield from ("", f"No finding: {valid.name}", *_code(valid))


def _code(case: Valid | Invalid | ValidTree | InvalidTree) -> Iterator[str]:
    yield textwrap.indent(case_code(case), "    ")
    if case.options:
        yield f"    with options {case.options}"
