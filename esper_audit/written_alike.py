"""Functions that are written to one pattern: their names begin or end alike, and they take the same parameter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from esper_audit.facts import MANY
from esper_audit.index import Index
from esper_audit.reference import Symbol
from esper_audit.signatures import CONSTRUCTOR, KINDS, shown

PATTERN = 3  # two may be alike by chance
SHARED = 2  # words: one alone (`get_`) tells little of who takes what
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")
Frame = tuple[str, ...]


class WrittenAlike:
    """Knows of every function's kind of name which parameters it takes, and which it takes and leaves unread."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._takers: Counter[tuple[Frame, str]] = Counter()
        self._droppers: Counter[tuple[Frame, str]] = Counter()
        self._pairs: set[tuple[Frame, str]] = set()
        for function in index.all_symbols(KINDS):
            parameters = [p for p in index.definition(function).parameters if p.kind not in MANY]
            self._takers.update(_keys(frames(function), (p.name for p in parameters)))
            unread = (p.name for p in parameters if not p.read)
            self._droppers.update(_keys(ends(function), unread))
            read = (p.name for p in parameters if p.read)
            self._pairs.update(_keys(self._twins(function), read))

    def prescribe(self, function: Symbol, name: str) -> bool:
        """Say whether a pattern, not need, gives a function a parameter.

        Three functions take it whose names share two words at the ends, or three do not read it whose
        names share one: classes anywhere, functions in one directory; or one of its file, whose name
        differs by a word or the order of its words, and which takes all the same, reads it.
        """
        takes = any(self._takers[frame, name] >= PATTERN for frame in frames(function))
        is_dropped = any(self._droppers[end, name] >= PATTERN for end in ends(function))
        return takes or is_dropped or any((t, name) in self._pairs for t in self._twins(function))

    def _twins(self, function: Symbol) -> Iterator[Frame]:
        words = _words(function)
        if function.short != CONSTRUCTOR and len(words) > 1:
            taken = [p.name for p in self._index.definition(function).parameters]
            for place in range(len(words)):
                yield (function.path, *taken, *words[:place], "*", *words[place + 1 :])
            yield (function.path, *taken, "*", *sorted(words))


def frames(function: Symbol) -> Iterator[Frame]:
    """Yield what a function's name leaves when the words in which others differ are taken out of it."""
    words = _words(function)
    if function.short != CONSTRUCTOR and len(words) >= SHARED:
        yield (*words[:2], "*")
        yield (words[0], "*", words[-1])
        yield ("*", *words[-2:])


def ends(function: Symbol) -> Iterator[Frame]:
    """Yield the last word of a constructor's class; the first and the last of another name, and the directory."""
    words = _words(function)
    if len(words) < SHARED:
        return
    if function.short == CONSTRUCTOR:
        yield ("*", words[-1])
    else:
        directory = function.path.rpartition("/")[0]
        yield (directory, words[0], "*")
        yield (directory, "*", words[-1])


def _words(function: Symbol) -> list[str]:
    return WORD.findall(shown(function).rpartition(".")[2])


def _keys(of: Iterable[Frame], names: Iterable[str]) -> Iterator[tuple[Frame, str]]:
    kept = list(of)
    for name in names:
        yield from ((frame, name) for frame in kept)
