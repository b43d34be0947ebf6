"""A click group whose commands are the modules of a folder, imported when they are called."""

from __future__ import annotations

import importlib
import os
from keyword import iskeyword

import click

# Modules of `esper_audit.cli` that are not commands.
NOT_VERBS = frozenset(
    {
        "__init__",
        "audit_output",
        "check_options",
        "checking",
        "declared_option",
        "fix_review",
        "local_date",
        "options",
        "output_options",
        "quick_check",
        "replay",
        "root",
        "rule_test",
        "screen",
        "verbs",
    }
)


class Verbs(click.Group):
    """A group whose commands are the modules of a package.

    A package inside it is a subgroup.
    """

    def __init__(self, package: str, help_text: str, name: str | None = None) -> None:
        super().__init__(
            name, help=help_text, context_settings={"help_option_names": ["-h", "--help"]}
        )
        self._package = package
        self._folder = os.path.join(os.path.dirname(__file__), *package.split(".")[2:])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        entries = [entry for entry in os.listdir(self._folder) if not entry.startswith("_")]
        modules = {
            entry.removesuffix(".py").rstrip("_") for entry in entries if entry.endswith(".py")
        }
        folders = {entry for entry in entries if self._is_group(entry)}
        return sorted((modules | folders) - NOT_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return the command, or None for an unknown name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"{self._package}.{name}")
        if self._is_group(cmd_name):
            return Verbs(module.__name__, module.__doc__ or "", cmd_name)
        command = vars(module)["command"]
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command.

        An unknown one is a usage error that lists the commands.
        """
        is_option = bool(args) and args[0].startswith("-")
        if args and not is_option and self.get_command(ctx, args[0]) is None:
            ctx.fail(
                f"unknown command '{args[0]}' (commands: {', '.join(self.list_commands(ctx))})"
            )
        return super().resolve_command(ctx, args)

    def _is_group(self, entry: str) -> bool:
        return os.path.isfile(os.path.join(self._folder, entry, "__init__.py"))
