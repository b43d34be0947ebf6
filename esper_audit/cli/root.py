"""The root command: finds its verbs by looking into its folder, imports only the one that is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from esper_audit.audit import COULD_NOT_RUN
from esper_audit.errors import EsperAuditError

NOT_VERBS = frozenset({"__init__.py", "root.py", "screen.py"})


class Verbs(click.Group):
    """A group whose commands are the modules beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        files = os.listdir(os.path.dirname(__file__))
        return sorted(
            file.removesuffix(".py")
            for file in files
            if file.endswith(".py") and file not in NOT_VERBS
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = vars(importlib.import_module(f"esper_audit.cli.{cmd_name}"))["command"]
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the verbs there are when somebody asks for another."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            known = ", ".join(self.list_commands(ctx))
            ctx.fail(f"no command is called '{args[0]}'; there are: {known}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Turn our own errors into one sentence and exit status 2."""
        try:
            return super().invoke(ctx)
        except EsperAuditError as error:
            click.echo(f"esper-audit: {error}", err=True)
            sys.exit(COULD_NOT_RUN)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="esper-audit")
def root() -> None:
    """Check that a PyTorch code base keeps its contracts.

    Exit status: 0 clean; 1 findings; 2 could not run; 3 something was not looked at.
    """
