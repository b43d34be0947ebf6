"""The command line: one file for each command.

Public: `main`, the entry point of the program.
"""

from __future__ import annotations

import gc
import io
import sys


def main() -> None:
    """Run `esper-audit` and exit.

    Garbage collection is off: a command is short-lived and its objects live until its end. A `check`
    whose inputs are unchanged prints its recorded output without importing the engine.
    """
    gc.disable()
    from esper_audit.cli.replay import replay

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    status = replay(sys.argv[1:])
    if status is not None:
        sys.exit(status)
    from esper_audit.cli.root import root

    root(prog_name="esper-audit")
