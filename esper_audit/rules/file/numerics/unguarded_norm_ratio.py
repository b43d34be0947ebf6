"""The rule `unguarded-norm-ratio`: a quotient that is unbounded if its norm is near zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import unguarded_norm_ratio_cases as cases
from esper_audit.rules.rule import Options, Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.norms.distances import has_difference
from esper_audit.source.idioms.norms.norm_divisions import NormDivisions
from esper_audit.source.idioms.norms.norm_expressions import (
    has_constant_norms,
    has_numpy_norm,
    split_epsilon,
)
from esper_audit.source.idioms.norms.norm_helpers import NormHelpers
from esper_audit.source.idioms.norms.norms import NormFlow
from esper_audit.source.idioms.norms.quotient_uses import (
    is_contracted,
    is_guarded_by_callers,
    is_of_declared_tensors,
    is_of_weights_by_callers,
    is_perturbed,
    is_relative_change,
    is_scale,
    is_share_of_counts,
    is_taken_both_ways,
)
from esper_audit.source.idioms.numerics.value_origins import returned
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

PERCENT = 100
FLOAT = frozenset({"float", "int", "item"})
UNBOUNDED = "is unbounded: if `{}` is 0, only the epsilon keeps it finite"
EMPTY = "divides by `{}`, which is 0 for a module without parameters"
OWN = "is NaN for the zero vector"


class NormRatioOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limit of a fixed ratio, and whether every `x / x.norm()` is checked.

    `largest_ratio`: the clamp that the fix puts on a ratio of norms.
    `own_norm`: also report a vector of a model divided by its own norm without an epsilon, which is
    NaN for the zero vector and at most 1 for every other.
    `any_numerator`: also report what is no norm divided by a norm, and divisions by a distance.
    """

    largest_ratio: float = 10.0
    own_norm: bool = False
    any_numerator: bool = False


class UnguardedNormRatio(Rule):
    """A quotient is unbounded if the norm in its denominator is near zero.

    What: a division by a norm that the function or a helper of the file computes, or that its name
    shows to be one where an epsilon is added or another norm is divided, without a guard: no test of
    the value of the norm or of the measured tensor (its type, shape and device are no guard), no
    lower clamp, no upper clamp, comparison or assertion of the quotient or of a value computed from
    it. `+ eps` with an epsilon below 1e-4, or with a named epsilon, is no guard. Also a division by
    the parameter count of a part of a model, and rows that a caller passes divided by their own
    norms without an epsilon and multiplied with other rows (a cosine similarity).

    Why: a frozen or converged host has no gradient. The ratio is then the seed's norm times 1e8, or
    inf, or NaN. The gate that reads it accepts the seed, or a running average never recovers. Among
    the rows of a caller one of zeros (an unknown word) is usual.

    Quiet: a tensor of a model divided by its own norm, directly or through a product with the quotient
    (clip coefficients, projections), which is bounded and NaN only for the zero vector (option
    `own_norm`); the norms of weights, constants and windows; an epsilon of 1e-4 or more; norm layers;
    relative errors (`|a - b| / |c|`); the norm of an attribute of the object (a window); what is no norm
    over a norm, and distances between two points
    below the line, and ratios by which a method scales a tensor, a step, or that are taken both ways,
    the sides of a shape, and the norm of a tensor over that of its sum with another (option
    `any_numerator`); a norm that each caller in the file tests; rows of numpy or that no annotation
    declares as tensors, and rows that a function rescales without returning them; hyperparameters and
    limits such as `max_norm`; counts of all parameters, shares of them, and what else is divided by a count;
    rows that each caller in the file takes from the weights of a model; constructors and
    geometry; decibels (`log10`), which are infinite by definition.

    Tickets: deep dive 1.2, B3-PT-01, B3-DRL-14, real code
    """

    contract = "host-norm-guard"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 in 131 packages, after mending on them, the known bugs are found; 0 of 6 in the last 65 "
        "unseen packages, before mending on them; no finding in 100 packages as widened since"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"BinOp", "AugAssign"}),
        parts=frozenset({"norm", "param", "numel", "sqrt"}),
    )
    Options = NormRatioOptions
    options: NormRatioOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions."""
        return [node for node in nodes if isinstance(node, Function)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each division by a norm or a parameter count without a guard."""
        if not isinstance(node, Function):
            return
        if not file.once(NormDivisions).has_possible_norm_division(node, file):
            return
        flow = NormFlow(node, file.once(NormHelpers))
        scopes = [file.source.path, *(scope.name for scope in (*file.definitions(node), node))]
        is_internal = has_constant_norms(scopes)
        for division in flow.divisions:
            message = self._message(flow, division, file, is_internal=is_internal)
            if message and not is_guarded_by_callers(flow, division, file):
                place = flow.place(division)
                quotient = " ".join(file.code(place).split())
                fix = self._guarded(division, flow, file) if place is division else None
                yield Violation(place, f"`{quotient}` {message}", fix)

    def _message(
        self, flow: NormFlow, division: ast.BinOp, file: FileView, *, is_internal: bool
    ) -> str:
        core, epsilon = split_epsilon(division.right)
        is_count = flow.is_count(core)
        factors = flow.norm_factors(core)
        if not (is_count or flow.is_norm(core) or len(factors) > 1):
            return ""
        if any(map(flow.is_guarded, factors)) or flow.is_bounded(division):
            return ""
        name = ast.unparse(core)
        if is_count:
            return EMPTY.format(name) if self._is_of_counts(flow, division, core) else ""
        if len(factors) > 1 or flow.is_normalisation(division, core):
            is_user_data = (
                not is_internal
                and flow.is_of_measured(division, factors)
                and (len(factors) > 1 or is_contracted(flow, division, file))
                and returned(flow.function)
                and is_of_declared_tensors(flow.function, file)
                and not has_numpy_norm([o for f in factors for o in flow.origins(f)])
                and any(map(flow.is_norm_of_rows_given, factors))
                and not is_of_weights_by_callers(flow, factors, file)
            )
            return OWN if epsilon is None and (self.options.own_norm or is_user_data) else ""
        if is_internal or not flow.is_ratio(division, core, epsilon):
            return ""
        parts = [part for part in walk(division.left) if isinstance(part, ast.expr)]
        measured = flow.measures(core)
        is_of_norms = any(map(flow.is_norm, parts)) and not has_difference(measured)
        is_kept = is_scale(flow, division) or is_taken_both_ways(flow, division)
        is_kept |= is_perturbed(division, measured, flow)
        is_kept |= is_relative_change(division, measured, flow)
        is_reported = is_of_norms and not is_kept
        if not is_reported and not self.options.any_numerator:
            return ""
        if epsilon is None:
            return f"divides by the norm `{name}` without a guard"
        return UNBOUNDED.format(name)

    def _is_of_counts(self, flow: NormFlow, division: ast.BinOp, core: ast.expr) -> bool:
        """Return whether a count of parameters is divided by that of another module."""
        if _is_share(division, ast.unparse(core)) or is_share_of_counts(flow, division):
            return False
        is_any = self.options.any_numerator and flow.is_computed_count(core)
        return is_any or flow.is_count(division.left)

    def _guarded(self, division: ast.BinOp, flow: NormFlow, file: FileView) -> Replacement | None:
        """Return the quotient with a test of its denominator, or None unless both are plain numbers."""
        core, epsilon = _parts(division.right, file)
        is_count = flow.is_count(ast.Name(core))
        if not core.isidentifier() or not (is_count or _is_plain_number(core, flow)):
            return None
        quotient = f"{file.code(division.left, parentheses=True)} / {core}"
        bounded = quotient if is_count else f"min({self.options.largest_ratio}, {quotient})"
        guarded = f"{bounded} if {core} > {epsilon or 0} else 0.0"
        return Replacement(
            division,
            guarded if file.is_parenthesised(division) else f"({guarded})",
            safe=False,
            description=f"return 0 if `{core}` is 0, and bound the ratio otherwise",
        )


def _is_share(division: ast.BinOp, total: str) -> bool:
    """Return whether a quotient is a share of its own total, or in percent, for people to read."""
    return any(
        (isinstance(part, ast.Constant) and part.value == PERCENT)
        or (isinstance(part, ast.expr) and dotted(part) == total)
        for part in walk(division.left)
    )


def _is_plain_number(name: str, flow: NormFlow) -> bool:
    """Return whether a name is annotated as a number or assigned from `.item()` or `float()`."""
    annotations = {p.arg: p.annotation for p in parameters(flow.function.args)}
    annotation = annotations.get(name)
    if annotation is not None:
        return ast.unparse(annotation) in FLOAT
    calls = [value.func for value in flow.values.get(name, ()) if isinstance(value, ast.Call)]
    return any(
        dotted(f) in FLOAT or (isinstance(f, ast.Attribute) and f.attr in FLOAT) for f in calls
    )


def _parts(denominator: ast.expr, file: FileView) -> tuple[str, str]:
    """Return the code of a denominator and of the epsilon added to it, if any."""
    if isinstance(denominator, ast.BinOp) and isinstance(denominator.op, ast.Add):
        left, right = denominator.left, denominator.right
        return file.code(left, parentheses=True), file.code(right, parentheses=True)
    return file.code(denominator, parentheses=True), ""
