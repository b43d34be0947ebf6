"""The rule `mask-only-if-given`: a causal mask is applied only where another argument was given."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import mask_only_if_given_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.attention.causal_masks import (
    MASK_MAKERS,
    guards,
    mask_uses,
    required_arguments,
)
from esper_audit.source.idioms.attention.optional_masks import CAUSAL_NAME, mask_given_up
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, is_constant, terminal_name

FILLED = frozenset({"full", "zeros", "ones", "empty"})
TRIANGLES = frozenset({"triu", "tril", "triu_", "tril_"})


class MaskOnlyIfGiven(Rule):
    """A causal mask is applied only where another argument was given.

    What: a mask made by `triu`, `tril` or `generate_square_subsequent_mask`, held by a name, an attribute
    or a buffer, every use of which in the function is under a condition that an optional argument (a
    padding mask, a bias) is not None; and a function that returns None instead of the mask where such an
    argument is None.

    Why: a caller without padding gives no other mask, and gets no causal mask either. The model sees the
    next token, its loss is excellent, and generation fails.

    Quiet: a band (`triu` of a `tril`), which is no causal mask; an argument that itself decides about
    causality or holds a cache; another branch that applies the mask or passes `is_causal`; a mask that is
    made from the argument.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 96 packages, after mending on them, the known bug is found; 0 of 2 in 65 "
        "unseen packages and 0 of 1 in vllm and sglang, before mending on them; no finding in 100 "
        "packages as widened since"
    )
    triggers = Triggers(calls=MASK_MAKERS, collected=frozenset({"ClassDef", "Call"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls."""
        return [node for node in nodes if isinstance(node, ast.Call)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the condition under which alone the mask of a call is applied."""
        if not isinstance(node, ast.Call) or terminal_name(node.func) not in MASK_MAKERS:
            return
        if _is_band(node, file) or (file.resolve(node.func) or "").startswith("numpy."):
            return
        given_up = mask_given_up(node, file)
        if given_up is not None and not _is_causal_without_mask(file):
            test, name = given_up
            message = f"the causal mask is made only where `{name}` is given"
            yield Violation(
                test,
                f"{message}: without it every position sees the later ones. Make the mask anyway.",
            )
            return
        uses = mask_uses(node, file)
        found = [_needed(use, function, node, file) for use, function in uses]
        needed = found[0] if found else None
        if needed is None or any(other is None for other in found):
            return
        test, name = needed
        function = uses[0][1]
        if not _has_other_way(function, node, test) and not _is_causal_without_mask(file):
            message = f"the causal mask is applied only where `{name}` is given"
            yield Violation(
                test,
                f"{message}: without it every position sees the later ones. Apply the mask by itself.",
            )


def _needed(
    use: ast.expr, function: Function, made: ast.Call, file: FileView
) -> tuple[ast.expr, str] | None:
    """Return the test and the optional argument that a use of a mask depends on, None without one."""
    optional = {name for name, value in defaults(function.args).items() if is_constant(value, None)}
    optional -= names_in(made)
    optional -= _names_of(made, file)
    for test, outcome in guards(use, function, file):
        for name in required_arguments(test, outcome):
            if name in optional and not CAUSAL_NAME.search(name) and not _is_refused(test, file):
                return test, name
    return None


def _names_of(made: ast.Call, file: FileView) -> set[str]:
    """Return the names that the statement around a mask binds, as a parameter that becomes the mask."""
    statement = file.enclosing(made)[-1]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_refused(test: ast.expr, file: FileView) -> bool:
    """Return whether a function raises where an argument is missing."""
    branch = file.parent(test)
    return isinstance(branch, ast.If) and isinstance(branch.body[-1], ast.Raise)


def _is_band(made: ast.Call, file: FileView) -> bool:
    """Return whether a triangle is cut out of another one: a band around the diagonal."""
    receiver = [made.func.value] if isinstance(made.func, ast.Attribute) else []
    above = file.parent(made)
    outer = file.parent(above) if isinstance(above, ast.Attribute) else above
    calls = [p for p in (*receiver, *made.args, outer) if isinstance(p, ast.Call)]
    return any(terminal_name(call.func) in TRIANGLES for call in calls)


def _has_other_way(function: Function, made: ast.Call, test: ast.expr) -> bool:
    """Return whether a function is causal by other means: another mask, or `is_causal`."""
    for node in scan(function, {ast.Call}):
        if not isinstance(node, ast.Call) or node is made:
            continue
        if any((k.arg or "").endswith("causal") for k in node.keywords):
            return True
        is_inside = test.lineno <= node.lineno <= (made.end_lineno or made.lineno)
        if terminal_name(node.func) in MASK_MAKERS and not is_inside:
            return True
        if terminal_name(node.func) == "masked_fill_" and node.lineno < test.lineno:
            filled = node.func.value if isinstance(node.func, ast.Attribute) else node
            if dotted(filled) in _names_made(function):
                return True
    return False


def _names_made(function: Function) -> set[str]:
    """Return the names of the tensors that a function makes of one value, as the start of a mask."""
    assigned = (n for n in scan(function, {ast.Assign}) if isinstance(n, ast.Assign))
    made = (
        n
        for n in assigned
        if isinstance(n.value, ast.Call) and terminal_name(n.value.func) in FILLED
    )
    return {dotted(target) for node in made for target in node.targets} - {""}


def _is_causal_without_mask(file: FileView) -> bool:
    """Return whether a call of the file is causal by its flag where the mask is None."""
    tests = [k.value for c in file.nodes(ast.Call) for k in c.keywords if k.arg == "is_causal"]
    parts = (part for test in tests for part in ast.walk(test))
    return any(
        isinstance(part, ast.Compare) and is_constant(part.comparators[0], None) for part in parts
    )
