"""Conditions of a rule that no case needs: each is dropped in turn, and then some case has to fail."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import ModuleType

import msgspec

from esper_audit.findings.errors import FAILURES, UsageError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.workers.limited_work import WorkLimits
from esper_audit.project.workers.parallel import map_files
from esper_audit.rules.rule_modules import checks_of
from esper_audit.text.phrases import quoted
from esper_audit.workflow.project_rules.rule_cases import run_cases

SECONDS = 5.0  # for all cases of a file: a loop whose exit was dropped does not end
# What these drop is a matter of speed: the cases pass without them.
OF_SPEED = frozenset({"prefilter", "may_match"})
JUMPS = (ast.Return, ast.Continue, ast.Break, ast.Raise)


class DroppedCondition(msgspec.Struct, frozen=True):
    """A condition of a rule, and whether a case fails without it."""

    line: int
    code: str
    is_needed: bool


class DropResult(msgspec.Struct, frozen=True):
    """What the cases did without the condition whose number is `path`.

    A process that was lost counts as a failed case.
    """

    path: str
    not_analysed: list[NotAnalysed] = []
    lost: bool = False
    is_needed: bool = True


class _Site(msgspec.Struct, frozen=True):
    """A condition in a tree, and the change that drops it."""

    condition: ast.expr
    drop: Callable[[], None]


def dropped_conditions(path: str, module: str) -> list[DroppedCondition]:
    """Return every condition of a file of rules, which is imported as `module`, in the order of its lines.

    Raises:
        UsageError: this system cannot end a process that runs without end.
    """
    if "fork" not in vars(os):
        raise UsageError("--drop-conditions needs a system that can fork processes")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    sites = list(_sites(ast.parse(text)))
    work = partial(_without, path, module, text)
    numbers = [str(number) for number in range(len(sites))]
    results = map_files(work, numbers, 1, DropResult, limits=WorkLimits(SECONDS))
    needed = {int(result.path): result.is_needed for result in results}
    conditions = [
        DroppedCondition(site.condition.lineno, quoted(ast.unparse(site.condition)), needed[number])
        for number, site in enumerate(sites)
    ]
    return sorted(conditions, key=lambda one: one.line)


def _without(path: str, module: str, text: str, number: str, _: Collection[str]) -> DropResult:
    """Run the cases of the rules in a file without one of its conditions."""
    tree = ast.parse(text)
    list(_sites(tree))[int(number)].drop()
    try:
        rules = _imported(ast.fix_missing_locations(tree), path, module)
        is_needed = any(
            not case.has_passed for rule in checks_of(rules) for case in run_cases(rule)
        )
    except FAILURES:  # without the condition the rule does not even load
        is_needed = True
    return DropResult(number, is_needed=is_needed)


def _imported(tree: ast.Module, path: str, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # in a process of its own
    exec(compile(tree, path, "exec"), vars(module))  # noqa: S102 - the user's own rules, as at their import
    return module


def _sites(node: ast.AST) -> Iterator[_Site]:
    """Yield the conditions below a node, in the same order for equal trees."""
    if isinstance(node, ast.FunctionDef) and node.name in OF_SPEED:
        return
    yield from _own_sites(node)
    for child in ast.iter_child_nodes(node):
        yield from _sites(child)


def _own_sites(node: ast.AST) -> Iterator[_Site]:
    if isinstance(node, ast.BoolOp):
        neutral = isinstance(node.op, ast.And)
        for position, value in enumerate(node.values):
            yield _Site(value, partial(_replace, node.values, position, neutral))
    elif isinstance(node, ast.comprehension):
        for position, test in enumerate(node.ifs):
            yield _Site(test, partial(_replace, node.ifs, position, True))
    elif isinstance(node, (ast.If, ast.IfExp)) and not _is_for_types(node.test):
        is_guard = isinstance(node, ast.If) and isinstance(node.body[-1], JUMPS)
        yield _Site(node.test, partial(_decide, node, not is_guard))


def _is_for_types(test: ast.expr) -> bool:
    """Return whether a test is that of imports for type checkers, or one whose parts are dropped by themselves."""
    return isinstance(test, ast.BoolOp) or ast.unparse(test) == "TYPE_CHECKING"


def _replace(values: list[ast.expr], position: int, value: bool) -> None:
    values[position] = ast.Constant(value)


def _decide(node: ast.If | ast.IfExp, value: bool) -> None:
    node.test = ast.Constant(value)
