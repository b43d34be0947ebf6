"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias

import click

from esper_audit.cli.declared_option import (
    CONFIG,
    NO_CACHE,
    SEVERITIES,
    SHARD,
    DeclaredOption,
    split_ids,
)
from esper_audit.project.config import find_project

Command: TypeAlias = Callable[..., None]
Decorator: TypeAlias = Callable[[Command], Command]

TEXT_OR_JSON = ("text", "json")

no_new_option = click.option(
    "--no-new", is_flag=True, help="Open no ticket; a finding without one fails."
)
until_option = click.option(
    "--until",
    default="",
    metavar="YYYY-MM-DD",
    help="Last day of an acceptance; then the ticket is open again.",
)
check_option = click.option("--check", "checks", multiple=True, metavar="ID", help="Rule or probe.")
contract_option = click.option(
    "--contract", "contracts", multiple=True, metavar="ID", help="Contract."
)
severity_option = click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.Choice(SEVERITIES),
    help="Severity of the ticket.",
)
path_option = click.option(
    "--path", "paths", multiple=True, metavar="PATH", help="File, folder or pattern."
)


def split_at_commas(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Return `--select a,b --select c` as `["a", "b", "c"]`."""
    return split_ids(values)


def as_click(option: DeclaredOption) -> Decorator:
    """Return a declared option as one of click."""
    settings: dict[str, Any] = {"help": option.help, "metavar": option.metavar}
    if option.is_flag:
        settings["is_flag"] = True
    elif option.is_list:
        settings |= {"multiple": True, "callback": split_at_commas}
    else:
        settings["default"] = option.default
    if option.choices:
        settings["type"] = click.Choice(option.choices)
    if option.least is not None:
        settings["type"] = click.IntRange(min=option.least)
    if option.convert is not None:
        settings["callback"] = lambda _, __, text: _converted(option, text)
    return click.option(*option.flags, option.name, **settings)


def declared_options(options: Sequence[DeclaredOption]) -> Decorator:
    """Return a decorator that gives a command several declared options."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = as_click(option)(command)
        return command

    return decorate


def _converted(option: DeclaredOption, text: str) -> object:
    value = option.read(text)
    if value is None:
        raise click.BadParameter(option.wrong.format(text))
    return value


config_option = as_click(CONFIG)
shard_option = as_click(SHARD)
no_cache_option = as_click(NO_CACHE)


def output_options(command: Command) -> Command:
    """Give a command the options of its output, passed as `output`."""
    # Imported here: most commands that have an option of this file print no audit.
    from esper_audit.cli.output_options import OUTPUT, take_output

    @wraps(command)
    def with_output(*args: Any, **options: Any) -> None:
        output = take_output(options)
        command(*args, output=output, **options)

    return declared_options(OUTPUT)(with_output)


def project_options(command: Command) -> Command:
    """Give a command the option `--config` and, as `project`, the project that it selects."""

    @wraps(command)
    def with_project(*, config_file: str | None, **options: Any) -> None:
        command(project=find_project([], config_file), **options)

    return config_option(with_project)


def format_option(styles: tuple[str, ...] = TEXT_OR_JSON, help_text: str = "") -> Decorator:
    """Return the option `--format`, passed as `style`.

    The default is text.
    """
    return click.option(
        "--format",
        "style",
        type=click.Choice(styles),
        default="text",
        show_default=True,
        help=help_text or "Output format.",
    )
