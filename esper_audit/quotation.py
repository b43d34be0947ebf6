"""How code stands in a message: on one line, and no longer than a glance takes."""

from __future__ import annotations

LONGEST = 72


def quoted(code: str) -> str:
    """Return code on one line, its middle left out if it is longer than LONGEST characters."""
    line = " ".join(code.split())
    if len(line) <= LONGEST:
        return line
    half = (LONGEST - 3) // 2
    return f"{line[:half]}...{line[-half:]}"
