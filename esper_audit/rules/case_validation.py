"""Validate the cases of a rule without running it: they parse, and what they expect can be there."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from esper_audit.findings.errors import RuleLoadError
from esper_audit.rules.rule import CstRule, Invalid, RunnableCheck, Valid
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree


def validate_cases(check: type[RunnableCheck]) -> None:
    """Raise RuleLoadError for the first case of a rule that cannot hold."""
    kinds: tuple[type, type] = (Valid, Invalid)
    if issubclass(check, TreeRule):
        kinds = (ValidTree, InvalidTree)
    for part, cases, kind in (
        ("VALID", check.VALID, kinds[0]),
        ("INVALID", check.INVALID, kinds[1]),
    ):
        for case in cases:
            if not isinstance(case, kind):
                raise RuleLoadError(
                    f"rule {check.id}: {part} holds {type(case).__name__} "
                    f"(expected {kind.__name__}). Replace it."
                )
            for objection in _objections(case):
                name = case.name  # type: ignore[attr-defined]  # every kind of case has a name
                raise RuleLoadError(f"rule {check.id}: {part} case '{name}': {objection}")
    if issubclass(check, CstRule) and not any("reach" in vars(base) for base in _own_bases(check)):
        raise RuleLoadError(
            f"rule {check.id}: `reach` is missing. Name the smallest part of a file that it needs."
        )


def _own_bases(check: type[CstRule]) -> Iterator[type]:
    """Yield a rule and its bases below `CstRule`."""
    yield from (base for base in check.__mro__ if issubclass(base, CstRule) and base is not CstRule)


def _objections(case: object) -> Iterator[str]:
    if isinstance(case, (Valid, Invalid)):
        yield from _unparsable("its code", case.code)
    if isinstance(case, (ValidTree, InvalidTree)):
        for path, text in case.files.items():
            yield from _unparsable(path, text) if path.endswith(".py") else ()
    if isinstance(case, Invalid):
        yield from _unparsable("its fixed code", case.fixed or "")
        yield from _expectations([("its code", line, case.code) for line, _ in case.expected])
    elif isinstance(case, InvalidTree):
        places = [(path, line, case.files.get(path)) for path, line, _ in case.expected]
        yield from _expectations(places)
    if isinstance(case, (Invalid, InvalidTree)):
        columns, findings = len(case.columns), len(case.expected)
        if columns not in (0, findings):
            yield f"it has {columns} columns for {findings} findings. Give each its own, or none."


def _unparsable(what: str, code: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as error:
        yield f"{what} does not parse: {error.msg}, line {error.lineno or 0}"
    except (ValueError, RecursionError, MemoryError) as error:
        yield f"{what} does not parse: {error}"


def _expectations(places: list[tuple[str, int, str | None]]) -> Iterator[str]:
    """Yield what is wrong with the expected places: (the file, the line, its text or None)."""
    if not places:
        yield "it expects no finding. Move it to VALID."
    for path, line, text in places:
        if text is None:
            yield f"it expects a finding in {path}, which is none of its files"
            continue
        lines = text.splitlines()
        is_there = isinstance(line, int) and 1 <= line <= len(lines)
        if not is_there or not lines[line - 1].strip():
            yield f"it expects a finding on line {line} of {path}, where no code is"
