"""The line of the user's code that a call into a library comes from."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from types import FrameType

from esper_audit.project.installed_files import is_installed
from esper_audit.watch.records import UserLine

LIBRARIES = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    os.path.dirname(os.path.abspath(__file__)),
)


def user_place(root: str) -> UserLine:
    """Return the innermost frame of a file below `root`, else the outermost frame that has a file."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a frame
    outermost = UserLine("", 0, "")
    while frame is not None:
        file = frame.f_code.co_filename
        path = _path_below(file, root)
        if path:
            return UserLine(path, frame.f_lineno, frame.f_code.co_qualname)
        if _is_file(file):
            outermost = UserLine(file, frame.f_lineno, frame.f_code.co_qualname)
        frame = frame.f_back
    return outermost


def is_called_by(function: str, module: str) -> bool:
    """Return whether a frame of a function of a module is on the stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a frame
    while frame is not None:
        if frame.f_code.co_name == function and frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False


@cache
def _is_file(file: str) -> bool:
    """Return whether code comes from a file that is not of the watcher itself."""
    return os.path.isabs(file) and not file.startswith(LIBRARIES[-1])


@cache
def _path_below(file: str, root: str) -> str:
    """Return the path of a file of the user relative to `root`, empty for any other file."""
    is_library = file.startswith(LIBRARIES) or is_installed(file)
    if is_library or not file.startswith(root + os.sep):
        return ""
    return os.path.relpath(file, root)
