"""`esper-audit rule`: what is checked, and one check explained from its own specification."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from esper_audit.findings.errors import UsageError
from esper_audit.project.config import find_project
from esper_audit.reports.rules_page import case_code, check_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.probe_catalogue import ProbeDescription
from esper_audit.rules.rule import Check, Invalid, Rule, Valid
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.text.phrases import did_you_mean

WIDTH = 80


@click.command("rule")
@click.argument("check_id", required=False, metavar="[ID]")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(check_id: str | None, config_file: str | None) -> None:
    """List the checks, or explain one: what, why, good and bad code, options."""
    handbook = CheckCatalogue.of_project(find_project([], config_file))
    if check_id is None:
        lines = _listed(handbook)
    elif check_id in handbook.checks:
        lines = _explained(handbook.checks[check_id], handbook)
    else:
        raise UsageError(
            f"no check is called '{check_id}'{did_you_mean(check_id, handbook.checks)}"
        )
    click.echo("\n".join(lines))


def _listed(handbook: CheckCatalogue) -> Iterator[str]:
    for check in handbook.checks.values():
        notes = [_kind(check), "" if check.default else "off unless selected"]
        noted = ", ".join(filter(None, notes))
        told = f" ({noted})" if noted else ""
        yield f"{check.id:<29} {check.severity}  {check.documentation().title}{told}"


def _kind(check: type[Check]) -> str:
    if issubclass(check, ProbeDescription):
        return "probe"
    return "whole tree" if issubclass(check, TreeRule) else ""


def _explained(check: type[Check], handbook: CheckCatalogue) -> Iterator[str]:
    page = check_page(check)
    contract = handbook.contracts[check.contract]
    yield from textwrap.wrap(f"{check.id}: {page.title}.", WIDTH)
    yield ""
    yield from textwrap.wrap(page.facts, WIDTH)
    yield ""
    yield from textwrap.wrap(f"The contract: {contract.statement} {contract.why}", WIDTH)
    for heading, text in (("What", page.what), ("Why", page.why), ("Quiet on", page.quiet)):
        yield ""
        yield from textwrap.wrap(f"{heading}: {text}", WIDTH)
    if issubclass(check, Rule):
        yield from _cases(check)
    elif issubclass(check, TreeRule):
        yield from _trees(check)
    for option in page.options:
        yield from ("", f"Option {option['name']} (default {option['default']})")
    if page.options and issubclass(check, (Rule, TreeRule)):
        yield from textwrap.wrap(" ".join((check.Options.__doc__ or "").split()), WIDTH)


def _cases(rule: type[Rule]) -> Iterator[str]:
    for case in rule.INVALID:
        yield from ("", f"Speaks: {case.name}", *_code(case))
        yield from (f"    line {line}: {message}" for line, message in case.expected)
        if case.fixed is not None:
            yield from ("  fixed:", textwrap.indent(case.fixed.rstrip(), "    "))
    for valid in rule.VALID:
        yield from ("", f"Quiet: {valid.name}", *_code(valid))


def _trees(rule: type[TreeRule]) -> Iterator[str]:
    for case in rule.INVALID:
        yield from ("", f"Speaks: {case.name}", *_code(case))
        yield from (f"    {path}, line {line}: {message}" for path, line, message in case.expected)
    for valid in rule.VALID:
        yield from ("", f"Quiet: {valid.name}", *_code(valid))


def _code(case: Valid | Invalid | ValidTree | InvalidTree) -> Iterator[str]:
    yield textwrap.indent(case_code(case), "    ")
    if case.options:
        yield f"    with options {case.options}"
