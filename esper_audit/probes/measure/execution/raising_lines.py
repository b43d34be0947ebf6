"""The lines of a module's own code on the way to where a call raises, or does what is looked for."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import PurePath

from torch import nn

from esper_audit.probes.shared_causes import CALLS

DEEPEST = 3
OURS, OF_TORCH = "/esper_audit/", "/torch/"
STANDARD_LIBRARY = sysconfig.get_path("stdlib")


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
    return CALLS.join(found[-DEEPEST:])


def own_lines(frames: Sequence[tuple[str, int]]) -> str:
    """Return the innermost lines of a module's own code among those of a stack, the outermost first.

    Those above our own call of the module are left out.
    """
    ours = [number for number, (path, _) in enumerate(frames) if OURS in path]
    inside = frames[ours[-1] + 1 :] if ours else frames
    own = [f"{importable_path(path)}:{line}" for path, line in inside if _is_own(path)]
    return CALLS.join(own[-DEEPEST:])


def _is_own(path: str) -> bool:
    """Return whether a file belongs neither to torch nor to Python."""
    is_of_python = path.startswith(STANDARD_LIBRARY) and "site-packages" not in path
    return OF_TORCH not in path and not is_of_python


def lines_of_caller() -> str:
    """Return the innermost lines of a module's own code on the way to here."""
    stack = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_stack()]
    while stack and OURS in stack[-1][0]:
        stack.pop()
    return own_lines(stack)


def importable_path(path: str) -> str:
    """Return the path of a file below the folder that Python finds its package in."""
    roots = [root for root in map(os.path.abspath, sys.path) if path.startswith(root + os.sep)]
    root = max(roots, key=len, default="")
    return path.removeprefix(root + os.sep).replace(os.sep, "/") if root else path
