"""Everything the index knows of one symbol, gathered and worded for a person at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import Use
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Caller, Passing, ReachingTest, Reference, Symbol
from esper_audit.source.index.targets import ResolvedBy

WIDTH = 80
NAME_WIDTH = 34
KINDS: Mapping[str, frozenset[Use]] = {
    "Read": frozenset({Use.READ}),
    "Written": frozenset({Use.WRITE, Use.DELETE}),
    "Derived from, annotated with, decorating": frozenset(
        {Use.BASE, Use.ANNOTATION, Use.DECORATOR}
    ),
    "Imported, exported": frozenset({Use.IMPORT, Use.EXPORT}),
    "Spelled in a string": frozenset({Use.STRING}),
}
HOW = {ResolvedBy.IMPORT: "", ResolvedBy.METHOD: "by type", ResolvedBy.NAME: "by name only"}
WORDS = (
    (Passing.PASSES, "passes {}", "pass {}"),
    (Passing.OMITS, "leaves {} out", "leave {} out"),
    (Passing.MAY_FORWARD, "may forward {}", "may forward {}"),
)
PASSED = {
    Passing.PASSES: "passes",
    Passing.OMITS: "leaves out",
    Passing.MAY_FORWARD: "may forward",
}


class Sheet(msgspec.Struct, frozen=True):
    """What is known of a symbol; without one (`symbol` None) what has that bare name."""

    asked: str
    argument: str
    symbol: Symbol | None
    exported: list[str]
    callers: list[Caller]
    references: list[Reference]
    tests: list[ReachingTest]
    not_looked_at: list[NotAnalysed]


def sheet(index: Index, asked: str, symbol: Symbol | None, argument: str) -> Sheet:
    """Ask the index all there is to ask about a symbol, or about a bare name that nothing defines."""
    if symbol is None:
        answer = index.mentions(asked)
        return Sheet(asked, argument, None, [], [], answer.items, [], answer.not_looked_at)
    callers = index.callers(symbol, argument)
    references = index.references(symbol)
    return Sheet(
        asked=asked,
        argument=argument,
        symbol=symbol,
        exported=index.exported(symbol),
        callers=callers.items,
        references=[r for r in references.items if r.use is not Use.CALL],
        tests=index.tests(symbol).items,
        not_looked_at=references.not_looked_at,
    )


def lines(known: Sheet) -> Iterator[str]:
    """Yield the sheet as text."""
    yield from _head(known)
    yield from _callers(known)
    for title, uses in KINDS.items():
        found = [reference for reference in known.references if reference.use in uses]
        yield from _section(title, [(r, "") for r in found])
    if known.symbol is None:
        calls = [(r, "") for r in known.references if r.use is Use.CALL]
        yield from _section("Called", calls)
    yield from _tests(known.tests, defined=known.symbol is not None)
    if known.not_looked_at:
        yield from ("", "Not looked at, so there may be more")
        for problem in known.not_looked_at:
            yield from _wrapped(problem.sentence())


def _head(known: Sheet) -> Iterator[str]:
    symbol = known.symbol
    if symbol is None:
        yield f"{known.asked}: nothing in this tree defines it; these have the name"
        return
    yield f"{symbol.class_kind if symbol.class_kind else ''} {symbol.kind} {symbol.name}".strip()
    role = "" if symbol.role is Role.PRODUCTION else f" ({symbol.role})"
    yield f"  {symbol.path}:{symbol.line}{role}"
    if known.exported:
        yield from _wrapped(f"offered by {', '.join(known.exported)}")


def _callers(known: Sheet) -> Iterator[str]:
    title = f"Called ({_count(known.callers, known.argument)})"
    if known.callers:
        entries = [(caller.reference, _passed(caller)) for caller in known.callers]
        yield from _section(title, entries)
    elif known.symbol is not None:
        yield from ("", "Called by nobody")


def _count(callers: Sequence[Caller], argument: str) -> str:
    if not argument:
        return f"{len(callers)}"
    counted = []
    for passing, one, many in WORDS:
        number = sum(caller.passing is passing for caller in callers)
        what = argument if passing is Passing.PASSES else "it"
        counted += [f"{number} {(one if number == 1 else many).format(what)}"] if number else []
    return f"{len(callers)}: {', '.join(counted)}"


def _passed(caller: Caller) -> str:
    if caller.passing is None:
        return ""
    return f"{PASSED[caller.passing]} {caller.value}".strip()


def _section(title: str, entries: Sequence[tuple[Reference, str]]) -> Iterator[str]:
    if not entries:
        return
    counted = "" if title.endswith(")") else f" ({len(entries)})"
    yield from ("", f"{title}{counted}")
    for path, inside in groupby(entries, key=lambda entry: entry[0].place.path):
        group = list(inside)
        role = group[0][0].place.role
        yield f"  {path}" + ("" if role is Role.PRODUCTION else f" ({role})")
        yield from (_entry(reference, more) for reference, more in group)


def _entry(reference: Reference, more: str) -> str:
    how = HOW[reference.resolved_by]
    verb = "" if reference.use in (Use.CALL, Use.READ, Use.STRING) else str(reference.use)
    remarks = [remark for remark in (more, verb, how) if remark]
    around = reference.place.symbol or "(module)"
    return f"  {reference.place.line:>6}  {around:<{NAME_WIDTH}} {', '.join(remarks)}".rstrip()


def _tests(tests: Sequence[ReachingTest], *, defined: bool) -> Iterator[str]:
    """Yield the tests that name the symbol, and by file those that reach it through other code."""
    if not tests:
        if defined:
            yield from ("", "Reached by no test")
        return
    direct = [test for test in tests if test.is_direct]
    farther = [test for test in tests if not test.is_direct]
    if direct:
        yield from ("", f"Named by tests ({len(direct)})")
        for test in direct:
            by_name = ", by name only" if test.resolved_by is ResolvedBy.NAME else ""
            yield f"  {test.path}:{test.line} {test.symbol or '(module)'}{by_name}"
    if farther:
        yield from ("", f"Reached by tests through other code ({len(farther)})")
    for path, inside in groupby(farther, key=lambda test: test.path):
        group = list(inside)
        last = ", ".join(dict.fromkeys(test.through[-1] for test in group))
        yield from _wrapped(f"{path} ({len(group)}) through {last}")


def _wrapped(text: str) -> Iterable[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
