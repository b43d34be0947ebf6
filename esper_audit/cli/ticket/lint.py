"""`esper-audit ticket lint`: what is wrong with the tickets as a whole."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence

import click

from esper_audit.engine.pipeline import discover
from esper_audit.findings.audit import FINDINGS
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import find_project
from esper_audit.project.git import resolve_commit
from esper_audit.text.markdown import count
from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.quotes import Sources
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.lint import LINTS, LintInput, Problem, first_sentence, lint

VERSION = 1
WIDTH = 80


@click.command("lint")
@click.option("--select", "selected", multiple=True, metavar="LINT", help="May be repeated.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option("--list", "listing", is_flag=True, help="Say what is looked for, and do nothing.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(selected: tuple[str, ...], style: str, listing: bool, config_file: str | None) -> None:
    """Check all tickets together: contradictions, dangling links, quotes and commits that do not exist.

    Exit status: 0 clean, 1 problems.
    """
    if listing:
        click.echo("\n".join(f"{name}\n    {first_sentence(name)}" for name in LINTS))
        return
    for name in selected:
        if name not in LINTS:
            raise UsageError(f"no lint is called '{name}'{did_you_mean(name, LINTS)}")
    project = find_project([], config_file)
    store = TicketStore(project.resolve(project.config.tickets))
    sources = Sources(project.root, discover(project, []).files)
    tickets = store.load()
    corpus = LintInput(tickets, sources, lambda name: bool(resolve_commit(project.root, name)))
    found = lint(corpus, selected or list(LINTS))
    shown = _json(found, store, sources) if style == "json" else _text(found, store, sources)
    sys.stdout.write(shown)
    if style == "text":
        click.echo(f"{count(len(tickets), 'ticket')}, {count(len(found), 'problem')}")
    if found:
        sys.exit(FINDINGS)


def _text(found: Sequence[tuple[str, Problem]], store: TicketStore, sources: Sources) -> str:
    lines = [
        textwrap.fill(
            f"{store.line(problem.ticket, problem.key)}: {name}: {problem.text}",
            WIDTH,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, problem in found
    ]
    if sources.absent:
        lines.append(
            f"not looked at: quotes from {count(len(sources.absent), 'file')} not in this tree"
        )
    return "".join(f"{line}\n" for line in lines)


def _json(found: Sequence[tuple[str, Problem]], store: TicketStore, sources: Sources) -> str:
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
        "not_looked_at": sorted(sources.absent),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
