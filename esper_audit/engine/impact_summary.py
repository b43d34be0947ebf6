"""Describe an impact in words, such as "6 calls, all pass seed_input"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.source.index.records import Caller, Reference
from esper_audit.text.markdown import count

MOST_PLACES = 3


class ArgumentCounts(msgspec.Struct):
    """Production calls grouped by how they pass an argument, and the number of other calls."""

    passing: list[Caller] = []
    omitting: list[Caller] = []
    forwarding: list[Caller] = []
    by_name: list[Caller] = []
    forwarded_on: int = 0
    test_calls: int = 0


def argument_words(
    argument: str, tally: ArgumentCounts, others: Sequence[Reference], outside: str
) -> list[str]:
    """Return clauses on how the production calls of a function pass one of its arguments."""
    total = len(tally.passing) + len(tally.omitting) + len(tally.forwarding)
    clauses = [_calls(argument, tally, total)]
    if tally.test_calls:
        clauses.append(f"{count(tally.test_calls, 'call')} in tests")
    if tally.by_name:
        clauses.append(f"{count(len(tally.by_name), 'more call')} by name only")
    if others:
        clauses.append(f"used as a value in {count(len(others), 'place')}")
    if outside and not total:
        clauses.append(outside)
    return clauses


def lowered_words(words: str, severity: Severity, lower: Severity, *, is_unused: bool) -> str:
    """Return an impact in words with the severity that follows from it."""
    advice = ": nothing in this tree uses it, so repair it or delete it" if is_unused else ""
    return f"{words}, so {lower} instead of {severity}{advice}"


def use_words(certain: int, by_name: int, packages: Mapping[str, int], outside: str) -> list[str]:
    """Return clauses on how often and where production code uses a symbol."""
    clauses = []
    if certain:
        counted = [f"{name} ({number})" for name, number in packages.items()]
        shown = ", ".join(packages if len(packages) == 1 else counted[:MOST_PLACES])
        more = (
            f" and {len(packages) - MOST_PLACES} more packages"
            if len(packages) > MOST_PLACES
            else ""
        )
        clauses.append(f"{count(certain, 'use')} in {shown}{more}")
    elif by_name:
        clauses.append(f"{count(by_name, 'use')} by name only")
    else:
        clauses.append("no use in production code")
    return [*clauses, outside] if outside else clauses


def test_words(direct: int, through: int) -> str:
    """Return a clause on how many tests name a symbol, and how many reach it through other code."""
    if not direct and not through:
        return "no test reaches it"
    clauses = [f"{count(direct, 'test')} name{'s' * (direct == 1)} it"] if direct else []
    if through:
        more = f"{through} more" if direct else count(through, "test")
        clauses.append(f"{more} reach{'es' * (through == 1)} it through other code")
    return ", ".join(clauses)


def unread_words(unread: int) -> list[str]:
    """Return a clause on the files that contain the name and could not be read, if there are any."""
    return [f"{count(unread, 'file')} that may use it not read"] if unread else []


def _calls(argument: str, tally: ArgumentCounts, total: int) -> str:
    if not total:
        return "no call in production code"
    if total == len(tally.passing):
        all_of_them = "all pass" if total > 1 else "it passes"
        on = (
            f" ({tally.forwarded_on} by **kwargs, whose callers all do)"
            if tally.forwarded_on
            else ""
        )
        return f"{count(total, 'call')}, {all_of_them} {argument}{on}"
    parts = []
    if tally.passing:
        parts.append(f"{len(tally.passing)} pass{'es' * (len(tally.passing) == 1)} {argument}")
    if tally.omitting:
        places = sorted({f"{c.place.path}:{c.place.line}" for c in tally.omitting})
        shown = ", ".join(places[:MOST_PLACES]) + (", ..." if len(places) > MOST_PLACES else "")
        what = "it" if tally.passing else argument
        leaves = "leaves" if len(tally.omitting) == 1 else "leave"
        parts.append(f"{len(tally.omitting)} {leaves} {what} out ({shown})")
    if tally.forwarding:
        forwards = "forwards" if len(tally.forwarding) == 1 else "forward"
        parts.append(f"{len(tally.forwarding)} {forwards} {_spread(tally)}, which may hold it")
    return f"{count(total, 'call')}: {', '.join(parts)}"


def _spread(tally: ArgumentCounts) -> str:
    """Return which arguments the forwarding calls pass on."""
    arguments = [caller.arguments for caller in tally.forwarding]
    kinds = {
        "*args": any(a.star for a in arguments),
        "**kwargs": any(a.double_star for a in arguments),
        "what comes later (partial)": any(a.partial for a in arguments),
    }
    return " or ".join(name for name, is_there in kinds.items() if is_there) or "arguments"
