"""A group of commands: the modules of a folder, of which only the one that is called is imported."""

from __future__ import annotations

import importlib
import os
from keyword import iskeyword

import click

NOT_VERBS = frozenset({"__init__", "replay", "root", "screen", "verbs"})


class Verbs(click.Group):
    """A group whose commands are the modules of a package; a package inside it is a group of its own."""

    def __init__(self, package: str, help_text: str, name: str | None = None) -> None:
        super().__init__(
            name, help=help_text, context_settings={"help_option_names": ["-h", "--help"]}
        )
        self._package = package
        self._folder = os.path.join(os.path.dirname(__file__), *package.split(".")[2:])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        entries = [entry for entry in os.listdir(self._folder) if not entry.startswith("_")]
        modules = {
            entry.removesuffix(".py").rstrip("_") for entry in entries if entry.endswith(".py")
        }
        folders = {entry for entry in entries if self._is_group(entry)}
        return sorted((modules | folders) - NOT_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
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
        """Name the verbs there are when somebody asks for another."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            known = ", ".join(self.list_commands(ctx))
            ctx.fail(f"no command is called '{args[0]}'; there are: {known}")
        return super().resolve_command(ctx, args)

    def _is_group(self, entry: str) -> bool:
        return os.path.isfile(os.path.join(self._folder, entry, "__init__.py"))
