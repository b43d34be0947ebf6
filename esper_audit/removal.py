"""Files and directories that moved, as far as findings that were recognised tell."""

from __future__ import annotations

from collections.abc import Iterable

from esper_audit.present import Present
from esper_audit.sighting import Sighting


class Removals:
    """Which present file stands for one that is gone.

    A file that is gone is looked for where findings of it have been recognised; a file of a directory
    that is gone, also at the same place in the directory that others of it went to.
    """

    def __init__(self, present: Present) -> None:
        self._present = present
        self._files: set[tuple[str, str]] = set()
        self._directories: set[tuple[str, str]] = set()

    def learn(self, pairs: Iterable[tuple[Sighting, Sighting]]) -> bool:
        """Take note of where findings went; say whether that was news."""
        before = len(self._files)
        for old, new in pairs:
            if old.path == new.path or self._present.has(old.path):
                continue
            self._files.add((old.path, new.path))
            self._directories.update(
                (was, now)
                for was, now in _directories(old.path, new.path)
                if not self._present.has(was)
            )
        return len(self._files) > before

    def origins(self, new: str) -> set[str]:
        """Return the files that a present file is known to hold, or be."""
        back = {was for was, now in self._files if now == new}
        back |= {
            was + new.removeprefix(now) for was, now in self._directories if new.startswith(now)
        }
        return {new, *(old for old in back if not self._present.has(old))}

    def present_file(self, old: str, symbol: str) -> str:
        """Return the file in which a scope has to be looked for; that of old, if it is anywhere known."""
        if self._present.has(old):
            return old
        known = sorted(now for was, now in self._files if was == old)
        known += sorted(
            now + old.removeprefix(was) for was, now in self._directories if old.startswith(was)
        )
        return next((path for path in known if self._present.scopes(path, symbol)), old)

    def same_file(self, old: str, new: str) -> bool:
        """Say whether a present file is the one that once had a path, or a part of it."""
        if old == new or (old, new) in self._files:
            return True
        return not self._present.has(old) and any(
            old.startswith(was) and new == now + old.removeprefix(was)
            for was, now in self._directories
        )


def _directories(old: str, new: str) -> Iterable[tuple[str, str]]:
    """Yield pairs of directories, `/` at the end, below which both paths go on alike."""
    was, now = old.split("/"), new.split("/")
    for count in range(1, min(len(was), len(now)) + 1):
        if was[-count:] != now[-count:]:
            return
        head = was[:-count]
        if head:
            yield "/".join([*head, ""]), "/".join([*now[:-count], ""])
