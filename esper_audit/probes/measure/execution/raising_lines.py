"""The lines of a module's own classes on the way to where a call raises."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from torch import nn

DEEPEST = 3


def raising_lines(error: BaseException) -> str:
    """Return `package/file.py:12 > package/part.py:3`, the innermost lines in methods of modules that are not torch's.

    Empty if there is none.
    """
    found: list[str] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        is_method = isinstance(frame.f_locals.get("self"), nn.Module)
        if is_method and module.partition(".")[0] != "torch":
            path = PurePath(frame.f_code.co_filename)
            depth = len(module.split(".")) + (path.stem == "__init__")
            found.append(f"{PurePath(*path.parts[-depth:]).as_posix()}:{line}")
    return " > ".join(found[-DEEPEST:])
