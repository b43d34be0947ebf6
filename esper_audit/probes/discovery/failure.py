"""What the failure of a trial says: its message, and the names on the lines of the user's code that failed."""

from __future__ import annotations

import linecache
import os
import re
import traceback
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_]\w*")
ADDRESS = re.compile(r"0x[0-9a-f]+")
OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
CONTEXT_LINES = 2  # a condition stands before the `raise` that it guards


@dataclass(frozen=True)
class TrialFailure:
    """The type and message of an error, and the names on the lines that led to it, the deepest first.

    `position` are the lines of the calls of the function, the outermost first: what fails later has a higher one.
    """

    type: str
    message: str
    names: tuple[str, ...]
    place: str
    position: tuple[int, ...] = ()

    def sentence(self) -> str:
        """Return the error on one line."""
        return " ".join(f"{self.type}: {self.message}".split())

    def repeats(self, other: TrialFailure) -> bool:
        """Return whether another failure has the same message at the same place."""
        return self.key == other.key

    def is_after(self, other: TrialFailure | None) -> bool:
        """Return whether a call came further before this failure than before another."""
        return other is not None and self.position > other.position

    @property
    def key(self) -> tuple[str, str, str, tuple[int, ...]]:
        """What two failures have in common that need the same change."""
        return self.type, ADDRESS.sub("", self.message), self.place, self.position


def failure_of(error: BaseException, function: str) -> TrialFailure:
    """Return what an error says about the arguments of `function`, such as `__init__`."""
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [f for f in frames if "/torch/" not in f.filename and not f.filename.startswith(OURS)]
    own = [frame for frame in frames if frame.name == function] or foreign
    below = frames[frames.index(own[0]) :] if own else []
    others = [f for f in below if f.name != function and "/torch/" not in f.filename]
    names: dict[str, None] = {}
    for frame in (*reversed(own), *reversed(others)):
        for line in range(frame.lineno or 1, max(0, (frame.lineno or 1) - CONTEXT_LINES - 1), -1):
            names |= dict.fromkeys(NAME.findall(linecache.getline(frame.filename, line)))
    last = next(
        (f for f in reversed(frames) if "/torch/" not in f.filename and "<" not in f.filename),
        frames[-1] if frames else None,
    )
    place = f"{last.filename}:{last.lineno}" if last else ""
    message = str(error) or (
        linecache.getline(last.filename, last.lineno or 0).strip() if last else ""
    )
    position = tuple(frame.lineno or 0 for frame in own)
    return TrialFailure(type(error).__name__, message, tuple(names), place, position)
