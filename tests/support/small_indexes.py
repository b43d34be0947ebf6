"""Indexes of small trees in memory, and their answers in short notation."""

from __future__ import annotations

from collections.abc import Mapping

from esper_audit.source.facts.store import FactStore
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Symbol


def index_of(files: Mapping[str, str]) -> Index:
    """Return the index of files given as path and source."""
    texts = {path: source.encode() for path, source in files.items()}
    return Index(FactStore("/nowhere", [], texts=texts, cache=False))


def the(index: Index, name: str) -> Symbol:
    """Return the one symbol that a name means."""
    found = index.symbols(name)
    assert len(found) == 1, found
    return found[0]


def calls(index: Index, name: str, argument: str = "") -> list[str]:
    """Return the calls of a symbol as `path:line how passing`, the last only if an argument is asked for."""
    answer = index.callers(the(index, name), argument)
    return [
        " ".join(
            [
                f"{c.place.path}:{c.place.line}",
                c.reference.resolved_by,
                *([c.passing] if c.passing else []),
            ]
        )
        for c in answer.items
    ]


def uses(index: Index, name: str) -> list[str]:
    """Return the references to a symbol as `path:line use how`."""
    answer = index.references(the(index, name))
    return [f"{r.place.path}:{r.place.line} {r.use} {r.resolved_by}" for r in answer.items]


def reads(index: Index, name: str) -> list[str]:
    """Return where a bare name is read, as `path:line how`."""
    return [f"{r.place.path}:{r.place.line} {r.resolved_by}" for r in index.readers(name).items]
