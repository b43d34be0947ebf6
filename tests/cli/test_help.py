"""The help of every command: a summary that is not cut, and lines that fit 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from esper_audit.cli.root import root

LONGEST_SUMMARY = 60
COLUMNS = 80


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command, groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands(root))


def shown_help(*path: str) -> str:
    return CliRunner().invoke(root, [*path, "--help"], terminal_width=COLUMNS).output


def test_every_command_is_found() -> None:
    assert {("check",), ("run",), ("ticket",), ("ticket", "import")} <= set(COMMANDS)


@pytest.mark.parametrize("group", [(), ("ticket",)], ids=["root", "ticket"])
def test_no_summary_is_cut(group: tuple[str, ...]) -> None:
    _, _, listing = shown_help(*group).partition("Commands:\n")
    summaries = re.findall(r"^  (\S+) +(.*)$", listing, re.MULTILINE)
    assert [name for name, _ in summaries] == [path[-1] for path in COMMANDS if path[:-1] == group]
    wrong = [
        summary
        for _, summary in summaries
        if len(summary) > LONGEST_SUMMARY or summary.endswith("...") or not summary.endswith(".")
    ]
    assert wrong == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_fits_80_columns_and_explains_every_option(path: tuple[str, ...]) -> None:
    text = shown_help(*path)
    assert max(map(len, text.splitlines())) <= COLUMNS
    _, _, options = text.partition("Options:\n")
    unexplained = [
        line
        for line, after in zip(options.splitlines(), [*options.splitlines()[1:], ""], strict=True)
        if re.match(r"  -", line)
        and not re.search(r"\S {2,}\S", line)
        and not after.startswith(" " * 10)
    ]
    assert unexplained == []
