"""The rule `redundant-condition`: a condition, or half of one, that is decided already."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.interfaces import redundant_condition_cases as cases
from esper_audit.rules.rule import Options, Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.branches.bool_flags import bool_flags
from esper_audit.source.idioms.branches.branch_analysis import (
    BranchWalk,
    ConstantCondition,
    bool_parameters,
)
from esper_audit.source.idioms.branches.conditions import ConditionFacts
from esper_audit.source.idioms.branches.counters import (
    block_of,
    is_increment,
    least_after,
    tests_after,
    truth_from,
    truth_of_size,
)
from esper_audit.source.idioms.branches.decidable import TestedNames, is_possibly_decided
from esper_audit.source.idioms.branches.restated_tests import (
    has_dead_code,
    is_harmless,
    is_left_early,
    is_nested_wrongly,
    is_neutral,
)
from esper_audit.source.idioms.branches.return_types import type_returned
from esper_audit.source.idioms.branches.texts import is_nested, texts_as_conditions
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.source.syntax.placed_nodes import PlacedNodes

BY_SIZE = "no value makes it otherwise"


class RedundantConditionOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`assignments`: also report what an assignment above decides.

    `restated`: also report an operand that changes nothing, as an earlier test has shown it.
    """

    assignments: bool = False
    restated: bool = False


class RedundantCondition(Rule):
    """A condition, or half of one, is decided already.

    What: an operand of `and` or `or` that an earlier test of the function decides and whose branch does
    what the `else` of that test does, too; `x is None or` below `if x is None: return`; a parameter
    that is a bool by annotation and default, and that is tested for None and not read otherwise; a
    counter that was incremented just before and is compared with less; a text beside a comparison
    (`mode == "a" or "b"`); `isinstance(out, tuple)` of what a function or layer of torch returns;
    `len(x) >= 0` and other comparisons of what is known. With the option `assignments` also what an
    assignment above decides.

    Why: the branch that was meant never runs, or always does: a wrong nesting, a flag without effect,
    an initialisation that is skipped.

    Quiet: any other operand that changes nothing (option `restated`); asserts and what they show, as type
    checkers need them; an `isinstance` that is repeated, and what an `elif` repeats of the conditions
    above it; what repeats a test that holds and has no `else`, and what only raises, as both do no harm;
    names that are bound again in between; annotations that permit None; counters that anything but
    constants and increments sets; what an assignment above decides, which mostly keeps a branch for
    later.

    Tickets: real code
    """

    contract = "live-branches"
    category = Category.CORRECTNESS
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    precision = (
        "17 of 17 by a reader in 133 packages, after mending on them (pypose, deepchem, rl4co, vissl); 2 "
        "of 2 in the last 65 unseen packages, before mending on them; of ways for None below a return for "
        "None 3 of 3 in 420 packages, by their author"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"If", "IfExp"}),
        parts=frozenset(
            {" is None", " is not None", "isinstance(", " += ", " and ", " or ", "len("}
        ),
    )

    options: RedundantConditionOptions
    Options = RedundantConditionOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions."""
        return [node for node in nodes if isinstance(node, Function)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the conditions of a function, without those of nested ones."""
        branches = file.inside(node, ast.If, ast.IfExp) if isinstance(node, Function) else []
        if not isinstance(node, Function) or not branches:
            return
        flags = bool_flags(node, file)
        if self._may_be_decided(node, branches, flags, file):
            walked = BranchWalk(
                node, lambda call: type_returned(call, file), flags, with_asserts=False
            )
            operands = (one for one in walked.constant_operands if self._is_reported(one, file))
            for test, known in [*operands, *filter(_is_by_type, walked.constant_conditions)]:
                fix = _without(test, file) if is_neutral(test, known.truth, file) else None
                yield _violation(test, known.truth, known.reason, file, fix)
        for test, truth, reason in _compared(node, branches, file):
            is_idle = is_neutral(test, truth, file) and not self.options.restated
            if is_idle or (reason == BY_SIZE and not has_dead_code(test, truth, file)):
                continue
            yield _violation(test, truth, reason, file)
        for either, text in texts_as_conditions(node, branches, file):
            yield _violation(either, True, f"the text {text} is true by itself", file)

    def _may_be_decided(
        self, function: Function, branches: Sequence[ast.AST], flags: ConditionFacts, file: FileView
    ) -> bool:
        """Return whether a condition of a function can be decided by what is reported."""
        start = {atom.name for atom in flags.atoms}
        if not (
            start or file.inside(function, ast.BoolOp) or file.once(_type_tests).inside(function)
        ):
            return False
        tested = TestedNames(branches, file.inside(function, ast.While))
        is_reported = (
            self.options.assignments
            or tested.has_none_test(start)
            or tested.has_repeated_operand(frozenset(bool_parameters(function)))
            or _has_tensor(function, tested, file)
        )
        return is_reported and (bool(start) or is_possibly_decided(function, branches, start))

    def _is_reported(self, found: ConstantCondition, file: FileView) -> bool:
        """Return whether an operand is to be reported: by a test, or by an assignment where asked for."""
        if found.known.reason.endswith(" sets it"):
            return self.options.assignments and not _is_restated_type(found)
        is_idle = is_neutral(found.test, found.known.truth, file)
        is_meant = is_nested_wrongly(found, file) or is_left_early(found, file)
        if is_idle and not self.options.restated and not is_meant:
            return False
        return not _is_restated_type(found) and not is_harmless(found, file)


def _violation(
    test: ast.expr, truth: bool, reason: str, file: FileView, fix: Replacement | None = None
) -> Violation:
    code = " ".join(file.code(test, parentheses=True).split())
    return Violation(test, f"`{code}` is always {'true' if truth else 'false'}: {reason}", fix)


def _type_tests(file: FileView) -> PlacedNodes[ast.Call]:
    """Return the calls of `isinstance`."""
    calls = (call for call in file.nodes(ast.Call) if call.func.__class__ is ast.Name)
    return PlacedNodes(call for call in calls if dotted(call.func) == "isinstance")


def _has_tensor(function: Function, tested: TestedNames, file: FileView) -> bool:
    """Return whether a name that is compared with None or a type is set to a tensor of torch."""
    nodes: list[ast.Assign | ast.AnnAssign] = [*file.inside(function, ast.Assign)]
    nodes += file.inside(function, ast.AnnAssign)
    for node in (n for n in nodes if isinstance(n.value, ast.Call)):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        is_typed = isinstance(target, ast.Name) and tested.is_typed(target.id)
        if is_typed and isinstance(node.value, ast.Call) and type_returned(node.value, file):
            return True
    return False


def _without(operand: ast.expr, file: FileView) -> Replacement | None:
    """Return the fix that leaves out an operand, or None where a comment would be lost."""
    above = file.parent(operand)
    if not isinstance(above, ast.BoolOp) or "#" in file.code(above):
        return None
    word = " and " if isinstance(above.op, ast.And) else " or "
    others = [file.code(v, parentheses=True) for v in above.values if v is not operand]
    return Replacement(above, word.join(others), safe=True, description="leave out what is known")


def _is_restated_type(found: ConstantCondition) -> bool:
    """Return whether an operand repeats an `isinstance` that holds, as readers and type checkers like it."""
    return found.known.truth and isinstance(found.test, ast.Call)


def _is_by_type(found: ConstantCondition) -> bool:
    """Return whether a whole condition is decided by a type, and not by an earlier test."""
    return found.known.reason.endswith((" is a bool", " returns a Tensor"))


def _compared(
    function: Function, branches: Sequence[ast.AST], file: FileView
) -> Iterator[tuple[ast.Compare, bool, str]]:
    """Yield the comparisons of counters and sizes that are decided, with their truth and the reason."""
    for node in file.inside(function, ast.AugAssign):
        tests = list(tests_after(node, block_of(node, file))) if is_increment(node) else []
        least = least_after(node, file) if tests else None
        for compared in tests:
            truth = truth_from(compared, least) if least is not None else None
            if truth is not None:
                counter = ast.unparse(node.target)
                yield compared, truth, f"`{counter}` is at least {least:g} after line {node.lineno}"
    for branch in branches:
        test = branch.test if isinstance(branch, (ast.If, ast.IfExp)) else None
        truth = truth_of_size(test) if isinstance(test, ast.Compare) else None
        if (
            isinstance(test, ast.Compare)
            and truth is not None
            and not is_nested(test, function, file)
        ):
            yield test, truth, BY_SIZE
