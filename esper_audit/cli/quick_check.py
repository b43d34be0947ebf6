"""A simple `check` command line, read without click: its import takes a fifth of the time of one file.

The options are those that click gets. Whatever is not certain to be read as click reads it is left to click:
help, unknown options, invalid or missing values, standard input, shell completion, Windows' patterns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

COMPLETION = "_ESPER_AUDIT_COMPLETE"
ABORTED = 1


def quick_check(arguments: Sequence[str]) -> None:
    """Run `check` and exit where its arguments are simple. Return where click has to read them."""
    if os.name == "nt" or COMPLETION in os.environ:
        return
    from esper_audit.cli.screen import errors_reported

    with errors_reported():
        known = read_arguments(arguments)
        if known is None:
            return
        from esper_audit.cli.checking import check

        try:
            check(*known)
        except (EOFError, KeyboardInterrupt):  # as click ends a command
            sys.stderr.write("\nAborted!\n")
            sys.exit(ABORTED)


def read_arguments(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]] | None:
    """Return the paths and the options of `check`, or None where click has to read them."""
    from esper_audit.cli.check_options import CHECK

    by_flag = {flag: option for option in CHECK for flag in option.flags}
    values = {option.name: option.initial for option in CHECK}
    paths: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("-"):
            paths.append(argument)
            continue
        flag, is_given, text = argument.partition("=")
        option = by_flag.get(flag)
        if option is None or (option.is_flag and is_given):
            return None
        if option.is_flag:
            values[option.name] = True
            continue
        if not is_given:
            text = next(remaining, "-")
        value = None if text.startswith("-") else option.read(text)
        if value is None:
            return None
        values[option.name] = [*values[option.name], *value] if option.is_list else value
    return paths, values
