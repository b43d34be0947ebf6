"""`esper-audit ticket lint`: check all tickets together."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence

import click

from esper_audit.cli.options import format_option, project_options
from esper_audit.findings.audit import FINDINGS
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.project.git import resolve_commit
from esper_audit.text.markdown import count
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.terminal import wrapped
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.lint import LINTS, LintInput, Problem, first_sentence, lint
from esper_audit.workflow.project_texts import ProjectTexts

VERSION = 1


@click.command("lint", short_help="Check all tickets for contradictions and dangling links.")
@click.option(
    "--only",
    "--select",
    "selected",
    multiple=True,
    metavar="LINT",
    help="Run only this lint (may be repeated).",
)
@click.option("--grouped", is_flag=True, help="Group the problems by lint, with their numbers.")
@format_option()
@click.option("--list", "is_listing", is_flag=True, help="List the lints and check nothing.")
@project_options
def command(
    project: Project, *, selected: tuple[str, ...], grouped: bool, style: str, is_listing: bool
) -> None:
    """Check all tickets for contradictions, dangling links, and unknown quotes and commits.

    Exit status: 0 no problems; 1 problems; 2 could not run.
    """
    if is_listing:
        for name in LINTS:
            click.echo(f"{name}\n{wrapped(first_sentence(name), '    ')}", nl=False)
        return
    for name in selected:
        if name not in LINTS:
            raise UsageError(f"unknown lint '{name}'{did_you_mean(name, LINTS)}")
    store = TicketStore(project.resolve(project.config.tickets))
    tickets = store.load()
    texts = ProjectTexts(project)
    corpus = LintInput(tickets, texts, lambda name: bool(resolve_commit(project.root, name)))
    found = lint(corpus, selected or list(LINTS))
    if style == "json":
        sys.stdout.write(_json(found, store, corpus.absent))
    else:
        text = _grouped(found, store) if grouped else _text(found, store)
        sys.stdout.write(text + _not_looked_at(corpus.absent))
        click.echo(f"{count(len(tickets), 'ticket')}, {count(len(found), 'problem')}")
    if found:
        sys.exit(FINDINGS)


def _text(found: Sequence[tuple[str, Problem]], store: TicketStore) -> str:
    return "".join(_line(f"{name}: ", problem, store, "") for name, problem in found)


def _grouped(found: Sequence[tuple[str, Problem]], store: TicketStore) -> str:
    """Return the problems below the name of each lint with their number, the most frequent first."""
    by_lint: dict[str, list[Problem]] = {}
    for name, problem in found:
        by_lint.setdefault(name, []).append(problem)
    ordered = sorted(by_lint.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return "".join(
        f"{name}: {count(len(problems), 'problem')}\n"
        + "".join(_line("", problem, store, "  ") for problem in problems)
        for name, problems in ordered
    )


def _line(name: str, problem: Problem, store: TicketStore, indent: str) -> str:
    place = store.line(problem.ticket, problem.key)
    return wrapped(f"{place}: {name}{problem.text}", indent, further=f"{indent}    ")


def _not_looked_at(absent: Collection[str]) -> str:
    files = count(len(absent), "file")
    return f"not looked at: quotes from {files} not in this project\n" if absent else ""


def _json(found: Sequence[tuple[str, Problem]], store: TicketStore, absent: Collection[str]) -> str:
    content = {
        "version": VERSION,
        "problems": [
            {
                "ticket": problem.ticket,
                "lint": name,
                "place": store.line(problem.ticket, problem.key),
                "key": list(problem.key),
                "text": problem.text,
            }
            for name, problem in found
        ],
        "not_looked_at": sorted(absent),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
