"""`esper-audit init`: look at the tree and write a commented configuration for it."""

from __future__ import annotations

import os
import sys

import click

from esper_audit.cli.local_date import today
from esper_audit.project.config import find_project
from esper_audit.text.markdown import count
from esper_audit.text.terminal import wrapped


@click.command("init", short_help="Write a commented configuration for this tree.")
@click.option("--dry-run", is_flag=True, help="Print the configuration and write no file.")
def command(*, dry_run: bool) -> None:
    """Look at the tree, and write esper-audit.toml with the policies that it adopts and why.

    Nothing is asked and nothing is overwritten: a tree with a configuration is an error.
    """
    from esper_audit.project.atomic_write import write_if_changed
    from esper_audit.workflow.initialisation.initial_configuration import initial_configuration

    initial = initial_configuration(find_project([]), today())
    if dry_run:
        sys.stdout.write(initial.text)
        return
    write_if_changed(initial.file, initial.text)
    lines = [
        f"Wrote {os.path.relpath(initial.file)}: {count(len(initial.adopted), 'policy')} adopted"
    ]
    lines += [
        wrapped(f"{mark.policy}: {mark.why}", "  ", "  ").rstrip("\n") for mark in initial.adopted
    ]
    if initial.left:
        left = ", ".join(mark.policy for mark in initial.left)
        lines.append(wrapped(f"Not adopted: {left}", "", "  ").rstrip("\n"))
    click.echo("\n".join(lines))
