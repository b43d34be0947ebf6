"""`esper-audit rule`: list the checks, explain one from its own specification, or test a file of rules."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator

import click
import msgspec

from esper_audit.cli.options import format_option, project_options
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.project.distribution import check_page as page_of_site
from esper_audit.reports.check_listing import VERSION, checks_as_json, contract_lines
from esper_audit.reports.pages import project_reports
from esper_audit.reports.rules_page import case_code, check_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.probe_catalogue import ProbeDescription
from esper_audit.rules.rule import Check, Invalid, Rule, Valid
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.terminal import prose_width


@click.command("rule", short_help="List the checks, explain one, or test your rules.")
@click.argument("check_id", required=False, metavar="[ID]")
@click.option(
    "--test",
    "file",
    default="",
    metavar="FILE",
    help="Run the VALID and INVALID cases of the rules in FILE.",
)
@click.option(
    "--drop-conditions",
    "drops",
    is_flag=True,
    help="With --test: name the conditions that no case needs.",
)
@click.option(
    "--fixtures",
    multiple=True,
    metavar="PATH",
    help="Compare rules with the `# expect: ID` comments below PATH.",
)
@click.option("--stats", is_flag=True, help="Show how the tickets of each check ended.")
@format_option(("text", "json", "markdown"), "Output format; markdown is a page of all checks.")
@project_options
def command(
    project: Project,
    check_id: str | None,
    file: str,
    *,
    drops: bool,
    fixtures: tuple[str, ...],
    stats: bool,
    style: str,
) -> None:
    """List the checks (rules and probes), or explain the check or contract ID.

    The explanation shows the contract, what is checked and why, code with and without a finding, and
    the options. That of a contract shows whether it is universal or a policy, and its checks.

    With --drop-conditions each condition of the rules in FILE is dropped in turn: where all cases still
    pass, a case is missing, or the condition is not needed.

    Exit status of --test and --fixtures: 0 all passed; 1 a case failed, or a condition is not needed; 2 a
    rule does not load; 3 a rule raised, or a fixture was not looked at.
    """
    if file or fixtures or drops:
        _test(project, check_id, file, fixtures, drops=drops)
    if stats:
        click.echo("\n".join(_stats(project, check_id, style)))
        return
    catalogue = CheckCatalogue.of_project(project)
    if style == "markdown":
        click.echo(project_reports(project).render_rules(catalogue), nl=False)
        return
    if style == "json":
        click.echo(checks_as_json(catalogue, check_id))
        return
    if check_id is None:
        lines = _list_lines(catalogue)
    elif check_id in catalogue.contracts:
        lines = contract_lines(catalogue, check_id)
    elif check_id in catalogue.checks:
        lines = _explanation(catalogue.checks[check_id], catalogue)
    else:
        known = {*catalogue.checks, *catalogue.contracts}
        hint = did_you_mean(check_id, known)
        raise UsageError(f"unknown check '{check_id}'{hint}. `esper-audit rule` lists the checks.")
    click.echo("\n".join(lines))


def _test(
    project: Project, check_id: str | None, file: str, fixtures: tuple[str, ...], *, drops: bool
) -> None:
    """Print the result of the cases in a file and of fixtures, and exit."""
    if drops and not file:
        raise UsageError("--drop-conditions needs --test FILE")
    if check_id is not None:
        raise UsageError(f"--test and --fixtures take no ID (got '{check_id}'). Leave it out.")
    from esper_audit.cli.rule_test import condition_test, fixture_test, rule_test

    statuses = [0]
    if file:
        status, report = rule_test(project, file)
        click.echo("\n".join(report))
        statuses.append(status)
    if drops and not any(statuses):
        status, report = condition_test(file)
        click.echo("\n".join(report))
        statuses.append(status)
    if fixtures:
        status, report = fixture_test(project, file, fixtures)
        click.echo("\n".join(report))
        statuses.append(status)
    sys.exit(max(statuses))


def _stats(project: Project, check_id: str | None, style: str) -> Iterable[str]:
    from esper_audit.reports.rule_outcomes import outcome_lines, rule_outcomes
    from esper_audit.tickets.store import TicketStore

    tickets = TicketStore(project.resolve(project.config.tickets)).load().values()
    outcomes = [one for one in rule_outcomes(tickets) if check_id in (None, one.check)]
    if style == "json":
        content = {"version": VERSION, "outcomes": outcomes}
        return [msgspec.json.format(msgspec.json.encode(content), indent=2).decode()]
    return outcome_lines(outcomes)


def _list_lines(catalogue: CheckCatalogue) -> Iterator[str]:
    for check in catalogue.checks.values():
        is_policy = catalogue.contracts[check.contract].kind == "policy"
        notes = [
            _kind(check),
            f"policy {check.contract}" if is_policy else "",
            "" if check.default else "off unless selected",
        ]
        noted = ", ".join(filter(None, notes))
        title = check.documentation().title + (f" ({noted})" if noted else "")
        head = f"{check.id:<29} {check.severity}  "
        yield from textwrap.wrap(
            title, prose_width(), initial_indent=head, subsequent_indent=" " * len(head)
        )


def _kind(check: type[Check]) -> str:
    if issubclass(check, ProbeDescription):
        return "probe"
    return "whole tree" if issubclass(check, TreeRule) else ""


def _explanation(check: type[Check], catalogue: CheckCatalogue) -> Iterator[str]:
    page = check_page(check)
    contract = catalogue.contracts[check.contract]
    yield from textwrap.wrap(f"{check.id}: {page.title}.", prose_width())
    yield ""
    yield from textwrap.wrap(page.facts, prose_width())
    if address := page_of_site(check.id):
        yield f"Page: {address}"
    paragraphs = {
        "Contract": f"{contract.statement} {contract.why}",
        "In force": "everywhere, as it is universal"
        if contract.kind == "universal"
        else f"where a project adopts the policy {contract.id} (`policies`, or profile strict)",
        "What": page.what,
        "Why": page.why,
        "Not reported": page.quiet,
    }
    for heading, text in paragraphs.items():
        yield ""
        yield from textwrap.wrap(f"{heading}: {text}", prose_width())
    if issubclass(check, Rule):
        yield from _cases(check)
    elif issubclass(check, TreeRule):
        yield from _tree_cases(check)
    for option in page.options:
        yield from ("", f"Option {option['name']} (default {option['default']})")
    if page.options and issubclass(check, (Rule, TreeRule)):
        yield from textwrap.wrap(" ".join((check.Options.__doc__ or "").split()), prose_width())


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
