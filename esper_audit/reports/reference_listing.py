"""The definition, callers, references and tests of one symbol, as text within 80 columns."""

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
from esper_audit.text.terminal import prose_width

NAME_WIDTH = 34
KINDS: Mapping[str, frozenset[Use]] = {
    "Read": frozenset({Use.READ}),
    "Written": frozenset({Use.WRITE, Use.DELETE}),
    "Base class, annotation or decorator": frozenset({Use.BASE, Use.ANNOTATION, Use.DECORATOR}),
    "Imported or exported": frozenset({Use.IMPORT, Use.EXPORT}),
    "Named in a string": frozenset({Use.STRING}),
}
RESOLUTION = {ResolvedBy.IMPORT: "", ResolvedBy.METHOD: "by type", ResolvedBy.NAME: "by name only"}
COUNTED_PASSING = (
    (Passing.PASSES, "passes {}", "pass {}"),
    (Passing.OMITS, "omits {}", "omit {}"),
    (Passing.MAY_FORWARD, "may forward {}", "may forward {}"),
)
PASSING = {
    Passing.PASSES: "passes",
    Passing.OMITS: "omits",
    Passing.MAY_FORWARD: "may forward",
}


class ReferenceListing(msgspec.Struct, frozen=True):
    """What the index knows of a symbol, or of a bare name that nothing defines (`symbol` is None)."""

    query: str = msgspec.field(name="asked")
    argument: str
    symbol: Symbol | None
    exported: list[str]
    callers: list[Caller]
    references: list[Reference]
    tests: list[ReachingTest]
    not_looked_at: list[NotAnalysed]


def reference_listing(
    index: Index, query: str, symbol: Symbol | None, argument: str
) -> ReferenceListing:
    """Return all that the index knows of a symbol, or of a bare name that nothing defines."""
    if symbol is None:
        mentions = index.mentions(query)
        return ReferenceListing(
            query, argument, None, [], [], mentions.items, [], mentions.not_looked_at
        )
    callers = index.callers(symbol, argument)
    references = index.references(symbol)
    return ReferenceListing(
        query=query,
        argument=argument,
        symbol=symbol,
        exported=index.exported(symbol),
        callers=callers.items,
        references=[r for r in references.items if r.use is not Use.CALL],
        tests=index.tests(symbol, by_name=True).items,
        not_looked_at=references.not_looked_at,
    )


def listing_lines(listing: ReferenceListing) -> Iterator[str]:
    """Yield a listing as text, line by line."""
    yield from _head(listing)
    yield from _callers(listing)
    for title, uses in KINDS.items():
        found = [reference for reference in listing.references if reference.use in uses]
        yield from _section(title, [(r, "") for r in found])
    if listing.symbol is None:
        calls = [(r, "") for r in listing.references if r.use is Use.CALL]
        yield from _section("Called", calls)
    yield from _tests(listing.tests, defined=listing.symbol is not None)
    if listing.not_looked_at:
        yield from ("", "Not looked at (there may be more references)")
        for problem in listing.not_looked_at:
            yield from _wrapped(problem.sentence())


def _head(listing: ReferenceListing) -> Iterator[str]:
    symbol = listing.symbol
    if symbol is None:
        used = "not defined in this project; these places use the name"
        unused = "neither defined nor used in a file that was read"
        yield f"{listing.query}: {used if listing.references else unused}"
        return
    yield f"{symbol.class_kind if symbol.class_kind else ''} {symbol.kind} {symbol.name}".strip()
    role = "" if symbol.role is Role.PRODUCTION else f" ({symbol.role})"
    yield f"  {symbol.path}:{symbol.line}{role}"
    if listing.exported:
        yield from _wrapped(f"exported by {', '.join(listing.exported)}")


def _callers(listing: ReferenceListing) -> Iterator[str]:
    title = f"Called ({_count(listing.callers, listing.argument)})"
    if listing.callers:
        entries = [(caller.reference, _passing(caller)) for caller in listing.callers]
        yield from _section(title, entries)
    elif listing.symbol is not None:
        yield from ("", "Not called")


def _count(callers: Sequence[Caller], argument: str) -> str:
    if not argument:
        return f"{len(callers)}"
    counted = []
    for passing, singular, plural in COUNTED_PASSING:
        number = sum(caller.passing is passing for caller in callers)
        noun = argument if passing is Passing.PASSES else "it"
        counted += (
            [f"{number} {(singular if number == 1 else plural).format(noun)}"] if number else []
        )
    return f"{len(callers)}: {', '.join(counted)}"


def _passing(caller: Caller) -> str:
    if caller.passing is None:
        return ""
    return f"{PASSING[caller.passing]} {caller.value}".strip()


def _section(title: str, entries: Sequence[tuple[Reference, str]]) -> Iterator[str]:
    if not entries:
        return
    counted = "" if title.endswith(")") else f" ({len(entries)})"
    yield from ("", f"{title}{counted}")
    for path, in_file in groupby(entries, key=lambda entry: entry[0].place.path):
        group = list(in_file)
        role = group[0][0].place.role
        yield f"  {path}" + ("" if role is Role.PRODUCTION else f" ({role})")
        yield from (_entry(reference, note) for reference, note in group)


def _entry(reference: Reference, note: str) -> str:
    resolution = RESOLUTION[reference.resolved_by]
    verb = "" if reference.use in (Use.CALL, Use.READ, Use.STRING) else str(reference.use)
    remarks = [remark for remark in (note, verb, resolution) if remark]
    scope = reference.place.symbol or "(module)"
    return f"  {reference.place.line:>6}  {scope:<{NAME_WIDTH}} {', '.join(remarks)}".rstrip()


def _tests(tests: Sequence[ReachingTest], *, defined: bool) -> Iterator[str]:
    """Yield the tests that name a symbol, and by file those that reach it through other code."""
    if not tests:
        if defined:
            yield from ("", "Not reached by tests")
        return
    direct = [test for test in tests if test.is_direct]
    indirect = [test for test in tests if not test.is_direct]
    if direct:
        yield from ("", f"Named by tests ({len(direct)})")
        for test in direct:
            by_name = ", by name only" if test.resolved_by is ResolvedBy.NAME else ""
            yield f"  {test.path}:{test.line} {test.symbol or '(module)'}{by_name}"
    if indirect:
        yield from ("", f"Reached by tests through other code ({len(indirect)})")
    for path, in_file in groupby(indirect, key=lambda test: test.path):
        group = list(in_file)
        last = ", ".join(dict.fromkeys(test.through[-1] for test in group))
        yield from _wrapped(f"{path} ({len(group)}) through {last}")


def _wrapped(text: str) -> Iterable[str]:
    return textwrap.wrap(
        text,
        prose_width(),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
