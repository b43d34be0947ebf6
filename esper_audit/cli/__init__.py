"""The command line: one file for each command.

Public: `main`, the entry point of the program.
"""

from __future__ import annotations

import gc
import io
import os
import sys

STANDARD_OUTPUT = 1
COULD_NOT_RUN = 2  # as in `findings.audit`, which a replay does not import


def main() -> None:
    """Run `esper-audit` and exit.

    Garbage collection is off: a command is short-lived and its objects live until its end. A `check`
    whose inputs are unchanged prints its recorded output without importing the engine.
    """
    gc.disable()
    from esper_audit.cli.replay import replay

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            _run(replay(sys.argv[1:]))
        finally:
            sys.stdout.flush()
            gc.freeze()  # the interpreter would go through all objects once more at its end
    except OSError as error:  # the disk is full, or the reader of a pipe is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)  # for the flush at the end
        sys.stderr.write(f"esper-audit: the output cannot be written: {error.strerror}\n")
        sys.exit(COULD_NOT_RUN)


def _run(replayed: int | None) -> None:
    """Run the command of the arguments unless its output was replayed with an exit status."""
    if replayed is not None:
        sys.exit(replayed)
    if sys.argv[1:2] == ["check"]:
        from esper_audit.cli.quick_check import quick_check

        quick_check(sys.argv[2:])
    from esper_audit.cli.root import root

    root(prog_name="esper-audit")
