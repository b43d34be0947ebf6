"""The command line: a verb a file; what a run with the same inputs said before is said again at once."""

from __future__ import annotations

import gc
import io
import sys


def main() -> None:
    """Run `esper-audit` and exit. The collector stays off: a command's objects live until its end."""
    gc.disable()
    from esper_audit.cli.replay import replay

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    status = replay(sys.argv[1:])
    if status is not None:
        sys.exit(status)
    from esper_audit.cli.root import root

    root(prog_name="esper-audit")
