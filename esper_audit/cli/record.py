"""`esper-audit record`: run a command and write how it builds and calls modules."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from esper_audit.cli.options import project_options, split_at_commas
from esper_audit.probes.session import require_torch
from esper_audit.project.atomic_write import write_if_changed
from esper_audit.project.config import Project
from esper_audit.project.file_roles import Roles
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.probes.recording.command import RecordedRun

MOST_REASONS = 10


@click.command(
    "record",
    short_help="Record how a command builds and calls modules.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--package",
    "packages",
    multiple=True,
    metavar="NAME,...",
    callback=split_at_commas,
    help="Record the classes of these packages.",
)
@click.option(
    "--output-file",
    default="",
    metavar="FILE",
    help="Write to this file instead of the configured one.",
)
@project_options
def command(
    project: Project, *, command: tuple[str, ...], packages: list[str], output_file: str
) -> None:
    """Run COMMAND, such as `pytest -q`, and write how it builds and calls modules to `recipes.yaml`.

    Put `--` before the command. Recorded are the classes of the packages that are named, else of the
    project, with shapes, dtypes and ranges of tensors, not their data. Entries of the file that were
    edited are kept. `esper-audit probe` uses the file.

    Exit status: that of the command; 2 if it cannot be started.
    """
    require_torch()
    # The list of commands, which imports this module, needs no torch.
    from esper_audit.probes.recipes.recipe_file import merge_recipes, read_recipes, text_of_recipes
    from esper_audit.probes.recording.command import run_recorded
    from esper_audit.probes.recording.recipes import not_written, recipes_of

    path = os.path.abspath(output_file) if output_file else project.resolve(project.config.recipes)
    stored = read_recipes(path)
    ran = run_recorded(command, project.root, packages or _discovered_packages(project))
    roles = Roles(msgspec.structs.asdict(project.config.roles))
    recorded = recipes_of(ran.recorded, roles, project.root)
    if recorded:
        write_if_changed(path, text_of_recipes(merge_recipes(stored, recorded)))
    missing = not_written(ran.recorded, set(recorded))
    sys.stderr.write(_summary(os.path.relpath(path), ran, len(recorded), missing))
    sys.exit(ran.status)


def _discovered_packages(project: Project) -> list[str]:
    """Return the packages that the configuration discovers by name."""
    return [name for name in project.config.discover if not os.path.exists(project.resolve(name))]


def _summary(path: str, ran: RecordedRun, written: int, missing: Mapping[str, str]) -> str:
    if not ran.recorded:
        return (
            "recorded nothing: the command built no module of the project. "
            "Name its package with --package\n"
        )
    lines = [f"recorded {count(written, 'class')} in {path}"]
    if missing:
        lines.append(f"not written: {count(len(missing), 'class')}")
        reasons = Counter(missing.values()).most_common(MOST_REASONS)
        lines += [f"  {number} took {reason}" for reason, number in reasons]
    return "\n".join(lines) + "\n"
