"""Output to the terminal: styled by rich on one, plain text elsewhere, and the line of a command that cannot run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from esper_audit.cli import COULD_NOT_RUN
from esper_audit.findings.errors import EsperAuditError, reason_of
from esper_audit.text.terminal import UNLIMITED, StyledText, laid_out_for

if TYPE_CHECKING:
    from esper_audit.text.progress import Progress


def is_terminal() -> bool:
    """Return whether standard output is a terminal that takes colours (`NO_COLOR` and `TERM=dumb` do not)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not is_plain


def screen_columns() -> int:
    """Return the columns of the terminal, UNLIMITED if standard output is none."""
    if not sys.stdout.isatty():
        return UNLIMITED
    import shutil

    return shutil.get_terminal_size().columns


def for_screen(text: Iterable[StyledText]) -> str:
    """Return styled text with escape codes on a terminal, without styles elsewhere."""
    return paint(text) if is_terminal() else "".join(part.text for part in text)


def paint(text: Iterable[StyledText]) -> str:
    """Return styled text with the escape codes of this terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, soft_wrap=True, highlight=False)
    with console.capture() as capture:
        for part in text:
            console.print(Text(part.text, style=part.style), end="")
    return capture.get()


@contextmanager
def progress_bar(*counted: str) -> Iterator[tuple[Progress | None, ...]]:
    """Show a progress bar for each counted thing on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield (None,) * len(counted)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    def update(task: TaskID) -> Progress:
        return lambda done, total: bar.update(task, completed=done, total=total)

    with Bar(console=Console(stderr=True), transient=True) as bar:
        yield tuple(update(bar.add_task(name, total=None)) for name in counted)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Print an EsperAuditError, or one of the system, and exit with status 2. Text is laid out for the screen."""
    try:
        with laid_out_for(screen_columns()):
            yield
    except EsperAuditError as error:
        _stop(str(error))
    except OSError as error:
        place = f"{error.filename}:" if error.filename else "the output cannot be written:"
        _stop(f"{place} {reason_of(error)}")


def _stop(message: str) -> NoReturn:
    sys.stderr.write(f"esper-audit: {message}\n")
    sys.exit(COULD_NOT_RUN)
