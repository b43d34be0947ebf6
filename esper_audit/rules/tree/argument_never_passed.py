"""The rule `argument-never-passed`: an optional argument that no call passes, and that decides a branch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import argument_never_passed_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import MANY, Parameter
from esper_audit.source.idioms.branches.branch_analysis import BranchWalk, ConstantCondition
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.parameter_excuses import is_copied, is_declared_unused
from esper_audit.source.usage.signatures import (
    KINDS,
    count_parameters,
    display_name,
    has_only_internal_callers,
)
from esper_audit.source.usage.tree import Tree

TEMPLATE = 2  # so many functions with the same name and parameter follow a pattern or are copies


class ArgumentNeverPassed(TreeRule):
    """An optional argument that no call passes.

    What: a parameter with a default, of a function that the tree calls, that every call omits, if
    that default decides an `if` or a conditional expression of the body; calls in tests do not
    count.

    Why: it is a constant that looks like an option. The branch for its other values is never
    executed, must be maintained, and is assumed to work.

    Quiet: defaults that decide no branch: a tolerance, a number of retries or a template's field is
    a named constant; functions that code outside the tree may call: exported, public in a library,
    entry points, registered by a decorator, overrides and overridden methods, hooks of bases;
    functions and classes that are used as values (callbacks, tables) or named in strings; a call
    with `*args`, `**kwargs` or `partial` that may pass it, and a call of a method with that name on
    an unknown object; names with a leading underscore; a parameter that two functions of the same
    name share, which follow a pattern; a public function that programs outside its package call; a
    parameter that the function declares deprecated or ignored; a function that is declared a copy
    or an adaptation.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "48 of 50 findings were correct (12 packages)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the optional parameters that all calls omit and whose default decides a branch."""
        peers = count_parameters(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            optional = {
                p.name: p.default
                for p in tree.index.definition(function).parameters
                if _is_optional(p) and peers[function.short, p.name] < TEMPLATE
            }
            if not optional or not has_only_internal_callers(tree, function, in_tests=False):
                continue
            answers = {name: tree.index.callers(function, name) for name in optional}
            known = {
                name: optional[name]
                for name in optional
                if _is_never_passed(answers[name])
                and not _is_called_from_outside_package(function, answers[name])
            }
            for name, constant in _decided_conditions(tree, function, known).items():
                answer = answers[name]
                if answer.is_complete:
                    message = _message(function, name, answer.items, constant)
                    yield tree.at_parameter(function, name, message)
                else:
                    yield tree.undecided(function, answer)


def _is_optional(parameter: Parameter) -> bool:
    if parameter.required or parameter.kind in MANY or parameter.name.startswith("_"):
        return False
    return _is_literal(parameter.default)


def _is_literal(text: str) -> bool:
    try:
        return ast.literal_eval(text) is not ...
    except (ValueError, SyntaxError):
        return False


def _is_never_passed(answer: QueryResult[Caller]) -> bool:
    """Return whether there are calls outside of tests, and none of them passes the argument."""
    calls = _outside_tests(answer.items)
    return bool(calls) and all(caller.passing is Passing.OMITS for caller in calls)


def _outside_tests(callers: Sequence[Caller]) -> list[Caller]:
    return [caller for caller in callers if caller.place.role is not Role.TEST]


def _is_called_from_outside_package(function: Symbol, answer: QueryResult[Caller]) -> bool:
    """Return whether programs outside a package call a public function of it."""
    home = function.path.partition("/")[0]
    return not function.short.startswith("_") and any(
        caller.place.path.partition("/")[0] != home for caller in _outside_tests(answer.items)
    )


def _decided_conditions(
    tree: Tree, function: Symbol, known: dict[str, str]
) -> dict[str, ConstantCondition]:
    """Return the first condition that each default decides, by parameter."""
    node = tree.function(function) if known else None
    if node is None or is_copied(tree, function):
        return {}
    text = tree.text(function)
    start = ConditionFacts(
        values={name: (frozenset({default}), name) for name, default in known.items()}
    )
    found: dict[str, ConstantCondition] = {}
    for constant in BranchWalk(node, lambda _: "", start).constant_conditions:
        name = constant.known.reason
        if name in known and not is_declared_unused(text, name):
            found.setdefault(name, constant)
    return found


def _message(
    function: Symbol, name: str, callers: Sequence[Caller], constant: ConstantCondition
) -> str:
    called, count = display_name(function), len(_outside_tests(callers))
    start = (
        f"the only call of `{called}` does not pass"
        if count == 1
        else f"none of the {count} calls of `{called}` passes"
    )
    way = "true" if constant.known.truth else "false"
    is_passed_by_test = any(caller.passing is not Passing.OMITS for caller in callers)
    end = "; only tests pass it" if is_passed_by_test else ""
    return f"{start} `{name}`, so `{ast.unparse(constant.test)}` is always {way}{end}"
