"""How a command ends that cannot run: one line on standard error and exit status 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from esper_audit.cli import COULD_NOT_RUN
from esper_audit.cli.screen import screen_columns
from esper_audit.findings.errors import EsperAuditError
from esper_audit.project.atomic_write import reason_of
from esper_audit.text.terminal import laid_out_for


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
