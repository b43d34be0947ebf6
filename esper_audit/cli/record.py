"""`esper-audit record`: run a command and write how it builds and calls modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Set

import click
import msgspec

from esper_audit.cli.options import project_options, split_at_commas
from esper_audit.probes.session import require_torch
from esper_audit.project.atomic_write import write_if_changed
from esper_audit.project.config import Project
from esper_audit.project.file_roles import Roles
from esper_audit.text.markdown import count, names_by_reason
from esper_audit.text.terminal import wrapped

MOST_REASONS = 10
NOTHING = """\
recorded nothing: the command built no module of the project. Name its package
with --package, and leave PYTHONPATH as the command is given it
"""


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
    from esper_audit.probes.recipes.recipe_file import (
        header_of,
        merge_recipes,
        read_recipes,
        text_of_recipes,
    )
    from esper_audit.probes.recording.command import run_recorded
    from esper_audit.probes.recording.recipes import not_written, recipes_of

    path = os.path.abspath(output_file) if output_file else project.resolve(project.config.recipes)
    stored = read_recipes(path)
    ran = run_recorded(command, project.root, packages or _discovered_packages(project))
    roles = Roles(msgspec.structs.asdict(project.config.roles))
    recipes = recipes_of(ran.recorded, roles, project.root)
    if recipes:
        write_if_changed(path, text_of_recipes(merge_recipes(stored, recipes), header_of(path)))
    called = {target for target, found in recipes.items() if found[0].has_call}
    missing = not_written(ran.recorded, called, roles, project.root)
    if not ran.recorded:
        sys.stderr.write(NOTHING)
    else:
        sys.stderr.write(_summary(os.path.relpath(path), set(recipes), called, missing))
    sys.exit(ran.status)


def _discovered_packages(project: Project) -> list[str]:
    """Return the packages that the configuration discovers by name."""
    return [name for name in project.config.discover if not os.path.exists(project.resolve(name))]


def _summary(path: str, built: Set[str], called: Set[str], missing: Mapping[str, str]) -> str:
    """Return how many classes were written, and what of the others could not be."""
    uncalled = f", {len(built - called)} of them built and not called" if built - called else ""
    place = f" in {path}{uncalled}" if built else ""
    lines = [f"recorded {count(len(built), 'class')}{place}\n"]
    for title, names in (
        ("not written", missing.keys() - built),
        ("written without a call", missing.keys() & built),
    ):
        reasons = {name.replace(":", "."): missing[name] for name in sorted(names)}
        lines += [f"{title}: {count(len(names), 'class')}\n"] if names else []
        shared = [f"{which} took {why}" for which, why in names_by_reason(reasons)]
        lines += [wrapped(line, "  ", "  ") for line in shared[:MOST_REASONS]]
    return "".join(lines)
