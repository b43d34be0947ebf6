"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from esper_audit.findings.finding import Severity
from esper_audit.project.config import find_project

if TYPE_CHECKING:
    from esper_audit.findings.shard import Shard

Command: TypeAlias = Callable[..., None]
Decorator: TypeAlias = Callable[[Command], Command]

TEXT_OR_JSON = ("text", "json")
SEVERITIES = [severity.value for severity in Severity]

config_option = click.option(
    "--config",
    "config_file",
    default=None,
    metavar="FILE",
    help="Read this configuration file instead of the nearest one.",
)
shard_option = click.option(
    "--shard",
    default="1/1",
    metavar="I/N",
    callback=lambda *arguments: read_shard(*arguments),
    help="Do the I-th of N parts (see `merge`).",
)
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
no_cache_option = click.option("--no-cache", is_flag=True, help="Analyse every file again.")


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


def read_shard(_: click.Context, __: click.Parameter, value: str) -> Shard:
    """Return `--shard 2/4` as a shard."""
    from esper_audit.findings.shard import parse_shard

    shard = parse_shard(value)
    if shard is None:
        raise click.BadParameter(f"no part of a whole (got '{value}', expected I/N such as 2/4)")
    return shard


def split_at_commas(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Return `--select a,b --select c` as `["a", "b", "c"]`."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
