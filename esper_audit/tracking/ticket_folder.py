"""The names of the ticket files in a folder."""

from __future__ import annotations

import os

from esper_audit.findings.errors import TicketError, reason_of

SUFFIX = ".yaml"


def ticket_files(directory: str) -> list[str]:
    """Return the names of the ticket files of a folder, sorted, none if the folder does not exist.

    Raises TicketError if the folder is a file or cannot be read.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise TicketError(
            f"{directory}: the folder of tickets cannot be read: {reason_of(error)}"
        ) from error
    # Editors write files whose names begin with a dot.
    return sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith("."))
