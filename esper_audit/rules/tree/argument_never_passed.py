"""The rule `argument-never-passed`: an optional argument that no call passes, and that decides a branch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import argument_never_passed_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import MANY, Parameter
from esper_audit.source.idioms.branches.branch_analysis import BranchWalk, ConstantCondition
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.index.records import Caller, Passing, QueryResult, Symbol
from esper_audit.source.usage.parameter_excuses import is_copied, is_declared_unused
from esper_audit.source.usage.signatures import KINDS, is_called_from_here_alone, shown, taking
from esper_audit.source.usage.tree import Tree

TEMPLATE = 2  # as many functions of one name with one parameter are written to a pattern, or copied


class ArgumentNeverPassed(TreeRule):
    """A switch that nobody turns.

    What: a parameter with a default, of a function that the tree calls, that every call leaves out,
    where an `if` or a conditional expression of the body is decided by that default; calls in tests
    count as calls.

    Why: it is a constant that looks like a choice. The branch that its other values lead to is not
    exercised by anything, is kept up to date for nothing, and is believed to work.

    Quiet: defaults that decide no branch: a tolerance, a number of retries or a template's field is a
    constant with a name; functions that somebody outside the tree may call: exported, public in a
    library, entry points, registered by a decorator, overrides and what is overridden, hooks of bases;
    functions and classes used as values (callbacks, tables) or spelled in strings; a call with `*args`,
    `**kwargs` or `partial` that may pass it, and one of a method by that name on an object not known;
    names with a leading underscore; a parameter that two functions of one name share: they are written
    to a pattern; a public function that programs around its package call; a parameter that the function
    says is deprecated or ignored; a function that is said to be copied or adapted from elsewhere.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P4
    precision = "48 of 50 read were right (12 packages)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the optional parameters that all calls leave out, where that decides a branch."""
        peers = taking(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            optional = {
                p.name: p.default
                for p in tree.index.definition(function).parameters
                if _is_optional(p) and peers[function.short, p.name] < TEMPLATE
            }
            if not optional or not is_called_from_here_alone(tree, function):
                continue
            answers = {name: tree.index.callers(function, name) for name in optional}
            known = {
                name: optional[name]
                for name in optional
                if _is_never_passed(answers[name]) and not _is_used_around(function, answers[name])
            }
            for name, constant in _decided(tree, function, known).items():
                answer = answers[name]
                if answer.is_complete:
                    message = _message(function, name, len(answer.items), constant)
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
    """Return whether there are calls that are not of tests alone, and none of them passes it."""
    return all(caller.passing is Passing.OMITS for caller in answer.items) and any(
        caller.place.role is not Role.TEST for caller in answer.items
    )


def _is_used_around(function: Symbol, answer: QueryResult[Caller]) -> bool:
    """Return whether programs around a package call a public function of it: others may, too."""
    home = function.path.partition("/")[0]
    callers = (caller.place for caller in answer.items if caller.place.role is not Role.TEST)
    return not function.short.startswith("_") and any(
        place.path.partition("/")[0] != home for place in callers
    )


def _decided(tree: Tree, function: Symbol, known: dict[str, str]) -> dict[str, ConstantCondition]:
    """Return the first condition of a body that each default decides, by parameter."""
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


def _message(function: Symbol, name: str, count: int, constant: ConstantCondition) -> str:
    called = shown(function)
    start = (
        f"the only call of `{called}` does not pass"
        if count == 1
        else f"none of the {count} calls of `{called}` passes"
    )
    way = "true" if constant.known.truth else "false"
    return f"{start} `{name}`, so `{ast.unparse(constant.test)}` is always {way}"
