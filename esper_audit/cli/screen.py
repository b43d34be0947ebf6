"""The terminal: rich where there is one, plain bytes where there is none."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from esper_audit.text.terminal import StyledText

if TYPE_CHECKING:
    from esper_audit.engine.pipeline import Progress
    from esper_audit.findings.audit import Audit
    from esper_audit.project.config import Project


def is_terminal() -> bool:
    """Return whether standard output is shown to a person (`NO_COLOR` and a dumb terminal count as no)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def paint(pieces: Iterable[StyledText]) -> str:
    """Return styled text with the escape codes of this terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, soft_wrap=True, highlight=False)
    with console.capture() as capture:
        for piece in pieces:
            console.print(Text(piece.text, style=piece.style), end="")
    return capture.get()


def rendered(audit: Audit, project: Project, style: str) -> str:
    """Return an audit in one of the output formats, painted where a person reads it."""
    from esper_audit.rules.catalogue import CheckCatalogue

    handbook = CheckCatalogue(project)
    output = importlib.import_module(f"esper_audit.reports.formats.{style}")
    if style == "text" and is_terminal():
        return paint(output.pieces(audit, handbook))
    said: str = output.render(audit, handbook)
    return said


@contextmanager
def progress_bar(*counted: str) -> Iterator[tuple[Progress | None, ...]]:
    """Show how many of each are done, on standard error and only if that is a terminal."""
    if not sys.stderr.isatty():
        yield (None,) * len(counted)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    def shown(task: TaskID) -> Progress:
        return lambda done, of: bar.update(task, completed=done, total=of)

    with Bar(console=Console(stderr=True), transient=True) as bar:
        yield tuple(shown(bar.add_task(what, total=None)) for what in counted)
