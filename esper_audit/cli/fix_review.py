"""The questions of `check --interactive`: whether to apply each fix, shown as a change."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict

import click

from esper_audit.cli.screen import is_terminal
from esper_audit.engine.fixes import apply_edits
from esper_audit.findings.finding import Finding

YES, NO, ALL, QUIT = "y", "n", "a", "q"
MEANINGS = {
    YES: "apply this fix",
    NO: "leave this one",
    ALL: "apply this and all further fixes",
    QUIT: "apply no further fix",
}
CONTEXT = 3
COLOURS = {"+": "green", "-": "red", "@": "cyan"}
Change = tuple[str, str, str]


class FixReview:
    """The answers of a user. A fix that was declined is not offered again when the file is read again."""

    def __init__(self) -> None:
        self._for_all: bool | None = None
        self._declined: dict[str, Counter[Change]] = defaultdict(Counter)
        self._text: str | None = None
        self._left: Counter[Change] = Counter()

    def is_wanted(self, finding: Finding, text: str) -> bool:
        """Return whether the user wants the fix of a finding in a text."""
        path, change = finding.location.path, _change(finding)
        if text is not self._text:
            self._text, self._left = text, self._declined[path].copy()
        if self._left[change]:
            self._left[change] -= 1
            return False
        if self._for_all is not None:
            return self._for_all
        answer = _ask(finding, text)
        if answer in (ALL, QUIT):
            self._for_all = answer == ALL
        if answer == NO:
            self._declined[path][change] += 1
        return answer in (YES, ALL)


def _change(finding: Finding) -> Change:
    """Return what identifies a fix in its file after other fixes have moved it."""
    return finding.check, finding.message, finding.edit.text if finding.edit else ""


def _ask(finding: Finding, text: str) -> str:
    """Show a fix and return the answer, which is `q` at the end of the input."""
    place = finding.location
    click.echo(f"\n{place.path}:{place.line}:{place.column} {finding.check}", err=True)
    click.echo(f"  {finding.message}", err=True)
    if finding.edit is not None:
        safety = "" if finding.edit.safe else " (changes behaviour)"
        click.echo(f"  Fix: {finding.edit.description}{safety}", err=True)
        _show_change(text, apply_edits(text, [finding.edit]))
    while True:
        try:
            answer = click.prompt(
                f"Apply [{','.join(MEANINGS)}]?", default="?", show_default=False, err=True
            )
        except click.Abort:
            click.echo(err=True)
            return QUIT
        if answer.strip().lower() in MEANINGS:
            return str(answer).strip().lower()
        for letter, meaning in MEANINGS.items():
            click.echo(f"  {letter}  {meaning}", err=True)


def _show_change(before: str, after: str) -> None:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT)
    for line in list(lines)[2:]:
        colour = COLOURS.get(line[:1]) if is_terminal() else None
        click.secho(line, fg=colour, err=True)
