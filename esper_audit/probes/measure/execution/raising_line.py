"""The line of a module's own class at which a call raises."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from torch import nn


def raising_line(error: BaseException) -> str:
    """Return `package/file.py:12`, the innermost line in a method of a module that is not torch's.

    Empty if there is none.
    """
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        is_method = isinstance(frame.f_locals.get("self"), nn.Module)
        if is_method and module.partition(".")[0] != "torch":
            path = PurePath(frame.f_code.co_filename)
            depth = len(module.split(".")) + (path.stem == "__init__")
            found = f"{PurePath(*path.parts[-depth:]).as_posix()}:{line}"
    return found
