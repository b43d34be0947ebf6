"""The rule `unguarded-norm-ratio`: a quotient that grows without bound where its norm is near zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit import cst
from esper_audit.cst_walk import children
from esper_audit.finding import Category, Severity
from esper_audit.names import Function, parameters
from esper_audit.norms import NormFlow, split_epsilon
from esper_audit.rule import Invalid, Options, Reach, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.view import View


class NormRatioOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a repaired ratio may reach, and whether `x / x.norm()` is looked at.

    `largest_ratio`: the clamp that the fix puts on a ratio of norms.
    `own_norm`: also report a vector divided by its own norm without an epsilon, which is NaN for the
    zero vector and at most 1 for every other.
    """

    largest_ratio: float = 10.0
    own_norm: bool = False


class UnguardedNormRatio(Rule):
    """A quotient grows without bound where the norm it divides by is near zero.

    What: x

    Why: x

    Quiet: x

    Tickets: deep dive 1.2, B3-PT-01, B3-DRL-14, real code
    """

    contract = "host-norm-guard"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}), parts=frozenset({"norm", "param", "numel"})
    )
    reach = Reach.FUNCTION
    Options = NormRatioOptions
    options: NormRatioOptions

    VALID = (Valid("a required parameter", "x=1\n"),)
    INVALID = (Invalid("a", "x=1\n", ()),)

    def may_match(self, node: ast.AST, enclosing: list[ast.stmt]) -> bool:
        """Keep functions with an unguarded division."""
        return isinstance(node, Function) and any(self._complaints(node))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each division by a norm or a parameter count that nothing guards."""
        if not isinstance(node, cst.FunctionDef):
            return
        function = view.functions(node.body)[-1]
        complaints = self._complaints(function)
        if any(complaints):
            for division, complaint in zip(_divisions(node.body), complaints, strict=True):
                if complaint:
                    quotient = " ".join(view.code(_bare(division)).split())
                    yield Violation(division, f"`{quotient}` {complaint}")

    def _complaints(self, function: Function) -> list[str]:
        """Return for each division of a function what is wrong with it, or an empty string."""
        if not any(isinstance(node, ast.Div) for node in ast.walk(function)):
            return []
        flow = NormFlow(function)
        return [self._complaint(flow, division) for division in flow.divisions]

    def _complaint(self, flow: NormFlow, division: ast.BinOp) -> str:
        core, epsilon = split_epsilon(division.right)
        is_count = flow.is_count(core)
        if not (is_count or flow.is_norm(core)):
            return ""
        if flow.is_guarded(core) or flow.is_bounded(division):
            return ""
        name = ast.unparse(core)
        if is_count:
            return f"divides by `{name}`, which is 0 for a module without parameters"
        if flow.divides_its_own(division, core):
            is_wanted = self.options.own_norm and epsilon is None
            return "is NaN for the zero vector" if is_wanted else ""
        if epsilon is not None:
            return f"has no bound: `{ast.unparse(epsilon)}` alone leaves it astronomically large where `{name}` is 0"
        return f"divides by the norm `{name}`, which is neither tested for zero nor clamped"


def _divisions(body: cst.CSTNode) -> list[cst.BinaryOperation]:
    """Return the divisions of a body in the order of `NormFlow.divisions`."""
    found = []
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
            found.append(node)
        if not isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            stack.extend(reversed(children(node)))
    return found


def _bare(division: cst.BinaryOperation) -> cst.BinaryOperation:
    return division.with_changes(lpar=(), rpar=())
