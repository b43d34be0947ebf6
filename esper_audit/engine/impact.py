"""The impact of a finding: calls that reach it, uses and tests of its code, and the resulting severity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from esper_audit.engine.impact_summary import (
    ArgumentCounts,
    argument_words,
    lowered_words,
    test_words,
    unread_words,
    use_words,
)
from esper_audit.findings.finding import Finding, Impact, Occurrence, Severity
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import DefinitionKind, ParameterKind, Use
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Caller, Passing, Reference, Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.text.markdown import count

NOT_TESTS = frozenset({Role.PRODUCTION, Role.SCRIPT})
RUNS = frozenset({Use.CALL, Use.READ, Use.BASE, Use.DECORATOR, Use.WRITE, Use.DELETE})
LOWERED = frozenset({Occurrence.LATENT, Occurrence.TEST_ONLY})
# A run of such code shows the defect, so that what nothing runs is rather deleted.
SHOWN_BY_A_RUN = frozenset({"known-names", "unknown-values", "module-methods"})
FUNCTIONS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD})
HARMLESS_DECORATORS = (
    *("property", "staticmethod", "classmethod"),
    *("no_grad", "inference_mode", "wraps"),
)
MOST_NAMED = 5
FURTHEST_FORWARD = 3


class ImpactAnalysis:
    """Compute the impact of findings from the index of the tree."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[str, str, str], Impact | None] = {}

    def with_impact(self, finding: Finding) -> Finding:
        """Return a finding with its impact, one step less severe if no call reaches it, or nothing uses it."""
        impact = self._impact(finding)
        if impact is None:
            return finding
        severity = finding.severity
        is_unused = impact.reality is Occurrence.UNREFERENCED and not impact.exported
        is_unused &= finding.contract in SHOWN_BY_A_RUN
        if (impact.reality in LOWERED or is_unused) and severity is not Severity.P4:
            lower = list(Severity)[list(Severity).index(severity) + 1]
            words = lowered_words(impact.words, severity, lower, is_unused=is_unused)
            impact = msgspec.structs.replace(impact, words=words, lowered_from=severity)
            severity = lower
        return msgspec.structs.replace(finding, impact=impact, severity=severity)

    def _impact(self, finding: Finding) -> Impact | None:
        path, name = finding.location.path, finding.subject or finding.location.symbol
        key = (path, name, finding.argument)
        if key not in self._known:
            self._known[key] = self._impact_of(path, name, finding.argument)
        return self._known[key]

    def _impact_of(self, path: str, name: str, argument: str) -> Impact | None:
        symbol = self._index.symbol(path, name)
        if symbol is None:
            return None
        if symbol.role not in NOT_TESTS:
            article = "an" if symbol.role is Role.EXAMPLE else "a"
            return Impact(Occurrence.TEST_ONLY, f"in {article} {symbol.role}; test-only")
        if symbol.kind is DefinitionKind.MODULE:
            return Impact(Occurrence.MANIFEST, "at module level, so it runs on import; manifest")
        symbol = self._run_with(symbol)
        return self._of_argument(symbol, argument) if argument else self._of_use(symbol)

    def _run_with(self, symbol: Symbol) -> Symbol:
        """Return the outermost function around a nested one, or any other symbol unchanged."""
        while True:
            outer = self._index.symbol(symbol.path, symbol.symbol.rpartition(".")[0])
            if outer is None or outer.kind not in FUNCTIONS:
                return symbol
            symbol = outer

    def _of_argument(self, symbol: Symbol, argument: str) -> Impact:
        answer = self._index.callers(symbol, argument)
        tally = self._tally(symbol, argument, answer.items, FURTHEST_FORWARD)
        others = self._other_uses(symbol)
        reality = _reality_of(tally, complete=answer.is_complete, others=len(others))
        reality = self._with_external_callers(symbol, reality)
        direct, through = self._tests(symbol)
        exported = self._index.exported(symbol)
        words = argument_words(argument, tally, others, self._outside(symbol))
        return Impact(
            reality,
            "; ".join(
                [
                    *words,
                    test_words(len(direct), through),
                    *unread_words(len(answer.not_looked_at)),
                    str(reality),
                ]
            ),
            calls=len(tally.passing) + len(tally.omitting) + len(tally.forwarding),
            passing=len(tally.passing),
            omitting=len(tally.omitting),
            forwarding=len(tally.forwarding),
            by_name=len(tally.by_name),
            test_calls=tally.test_calls,
            hits=sorted({_place(caller.reference) for caller in tally.omitting})[:MOST_NAMED],
            packages=self._packages(
                caller.reference
                for caller in answer.items
                if caller.reference.resolved_by is not ResolvedBy.NAME
            ),
            tests=direct[:MOST_NAMED],
            tests_through=through,
            exported=exported,
        )

    def _tally(
        self, symbol: Symbol, argument: str, callers: Iterable[Caller], further: int
    ) -> ArgumentCounts:
        tally = ArgumentCounts()
        optional = self._defaults_to_none(symbol, argument)
        for caller in callers:
            if symbol.holds(caller.place):
                continue
            is_by_name = caller.reference.resolved_by is ResolvedBy.NAME
            if caller.place.role not in NOT_TESTS:
                tally.test_calls += not is_by_name
            elif is_by_name:
                tally.by_name.append(caller)
            elif caller.passing is Passing.PASSES and not (optional and caller.value == "None"):
                tally.passing.append(caller)
            elif caller.passing is Passing.MAY_FORWARD:
                self._forward(caller, argument, tally, further)
            else:
                tally.omitting.append(caller)
        return tally

    def _forward(self, caller: Caller, argument: str, tally: ArgumentCounts, further: int) -> None:
        """Count a call that forwards `**kwargs` by what the callers of its function pass."""
        outer = self._forwarder(caller) if further else None
        if outer is None:
            tally.forwarding.append(caller)
            return
        answer = self._index.callers(outer, argument)
        inner = self._tally(outer, argument, answer.items, further - 1)
        is_open = inner.forwarding or inner.by_name or self._other_uses(outer)
        tally.test_calls += inner.test_calls
        tally.omitting += inner.omitting
        if inner.omitting:
            return
        if is_open or not answer.is_complete or not inner.passing:
            tally.forwarding.append(caller)
        else:
            tally.passing.append(caller)
            tally.forwarded_on += 1

    def _forwarder(self, caller: Caller) -> Symbol | None:
        """Return the function whose own `**kwargs` a call forwards, None if it may add to them first."""
        around = self._index.symbol(caller.place.path, caller.place.symbol)
        if around is None or around.kind not in FUNCTIONS or caller.arguments.partial:
            return None
        own = self._index.definition(around).parameters
        takes = any(
            p.kind is ParameterKind.KWARGS and p.name == caller.arguments.spread for p in own
        )
        return around if takes and not caller.arguments.star else None

    def _of_use(self, symbol: Symbol) -> Impact:
        answer = self._index.references(symbol)
        uses = [r for r in answer.items if r.use in RUNS and not symbol.holds(r.place)]
        outside_tests = [r for r in uses if r.place.role in NOT_TESTS]
        certain = [r for r in outside_tests if r.resolved_by is not ResolvedBy.NAME]
        in_tests = [
            r
            for r in uses
            if r.place.role not in NOT_TESTS and r.resolved_by is not ResolvedBy.NAME
        ]
        if certain:
            reality = Occurrence.MANIFEST
        elif self._is_of_unused_class(symbol):
            reality = Occurrence.UNREFERENCED
        elif outside_tests or not answer.is_complete:
            reality = Occurrence.POSSIBLE
        else:
            reality = Occurrence.TEST_ONLY if in_tests else Occurrence.UNREFERENCED
        reality = self._with_external_callers(symbol, reality)
        direct, through = self._tests(symbol)
        packages = self._packages(certain)
        outside = self._outside(symbol) if not certain else ""
        words = use_words(len(certain), len(outside_tests) - len(certain), packages, outside)
        words += [test_words(len(direct), through), *unread_words(len(answer.not_looked_at))]
        return Impact(
            reality,
            "; ".join([*words, str(reality)]),
            calls=sum(r.use is Use.CALL for r in certain),
            by_name=len(outside_tests) - len(certain),
            test_calls=sum(r.use is Use.CALL for r in in_tests),
            hits=sorted({_place(reference) for reference in certain})[:MOST_NAMED],
            packages=packages,
            tests=direct[:MOST_NAMED],
            tests_through=through,
            exported=self._index.exported(symbol),
        )

    def _with_external_callers(self, symbol: Symbol, reality: Occurrence) -> Occurrence:
        """Return `possible` where no code of the tree uses a symbol but code outside may run it."""
        is_idle = reality in (Occurrence.UNREFERENCED, Occurrence.TEST_ONLY)
        return Occurrence.POSSIBLE if is_idle and self._outside(symbol) else reality

    def _is_of_unused_class(self, symbol: Symbol) -> bool:
        """Return whether nothing uses, derives from or exports the class of a method."""
        owner = self._index.symbol(symbol.path, symbol.symbol.rpartition(".")[0])
        if symbol.kind is not DefinitionKind.METHOD or owner is None or self._index.exported(owner):
            return False
        answer = self._index.references(owner)
        uses = (r for r in answer.items if r.use in RUNS and not owner.holds(r.place))
        return answer.is_complete and not any(uses)

    def _outside(self, symbol: Symbol) -> str:
        """Describe what outside the tree may run a symbol: the owner of a decorator, the base of its class."""
        definition = self._index.definition(symbol)
        if symbol.kind not in FUNCTIONS:
            return ""
        foreign_decorators = [
            d for d in map(str, definition.decorators) if not d.endswith(HARMLESS_DECORATORS)
        ]
        if foreign_decorators:
            return f"registered by @{foreign_decorators[0].replace('()', '(...)')}"
        if symbol.kind is not DefinitionKind.METHOD:
            return ""
        owner = self._index.symbol(symbol.path, symbol.symbol.rpartition(".")[0])
        assert owner is not None
        foreign = self._index.resolver.hierarchy.foreign_bases(owner.key) - {"?"}
        is_called_by_base = bool(foreign) or symbol.short.startswith("__")
        used = [r for r in self._index.references(owner).items if _is_outside_tests(r)]
        if is_called_by_base and used:
            return f"its class is used in {count(len(used), 'place')}"
        return ""

    def _other_uses(self, symbol: Symbol) -> list[Reference]:
        """Return where a function is used as a value: its receiver may call it in any way."""
        if symbol.kind not in FUNCTIONS:
            return []
        return [
            reference
            for reference in self._index.references(symbol, {Use.READ}).items
            if _is_outside_tests(reference) and not symbol.holds(reference.place)
        ]

    def _defaults_to_none(self, symbol: Symbol, argument: str) -> bool:
        parameters = self._index.parameters(symbol) or []
        return any(p.name == argument and p.default == "None" for p in parameters)

    def _tests(self, symbol: Symbol) -> tuple[list[str], int]:
        """Return the pytest ids of the tests that name a symbol, and how many other tests reach it."""
        found = self._index.tests(symbol).items
        tests = [test for test in found if test.resolved_by is not ResolvedBy.NAME]
        direct = [f"{t.path}::{t.symbol.replace('.', '::')}" for t in tests if t.is_direct]
        return direct, len(tests) - len(direct)

    def _packages(self, references: Iterable[Reference]) -> dict[str, int]:
        """Count production uses by package."""
        modules = self._index.store.module_names
        names = [modules.name(r.place.path) for r in references if r.place.role in NOT_TESTS]
        packages = Counter(name.rpartition(".")[0] or name for name in names)
        return dict(sorted(packages.items()))


def _reality_of(tally: ArgumentCounts, *, complete: bool, others: int) -> Occurrence:
    if tally.omitting:
        return Occurrence.MANIFEST
    by_name = any(caller.passing is not Passing.PASSES for caller in tally.by_name)
    if tally.forwarding or by_name or others or not complete:
        return Occurrence.POSSIBLE
    if tally.passing:
        return Occurrence.LATENT
    return Occurrence.TEST_ONLY if tally.test_calls else Occurrence.UNREFERENCED


def _is_outside_tests(reference: Reference) -> bool:
    runs = reference.use in RUNS and reference.resolved_by is not ResolvedBy.NAME
    return runs and reference.place.role in NOT_TESTS


def _place(reference: Reference) -> str:
    return f"{reference.place.path}:{reference.place.line}"
