"""The rule `unguarded-norm-ratio`: a quotient that is unbounded if its norm is near zero."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import (
    Invalid,
    Options,
    Replacement,
    Rule,
    Triggers,
    Valid,
    Violation,
)
from esper_audit.source.idioms.numerics.norms import NormFlow, split_epsilon
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

NORM_WORDS = re.compile(r"norm|sqrt|param", re.IGNORECASE)
FLOAT = frozenset({"float", "int", "item"})
UNBOUNDED = "is unbounded: if `{}` is 0, only the epsilon keeps it finite"
EMPTY = "divides by `{}`, which is 0 for a module without parameters"
SEED_RATIO = f"`seed_norm / (host_norm + {{}})` {UNBOUNDED.format('host_norm')}"
NO_PARAMETERS = "`{0} / {1}` " + EMPTY.replace("{}", "{1}")


class NormRatioOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limit of a fixed ratio, and whether `x / x.norm()` is checked.

    `largest_ratio`: the clamp that the fix puts on a ratio of norms.
    `own_norm`: also report a vector divided by its own norm without an epsilon, which is NaN for
    the zero vector and at most 1 for every other.
    """

    largest_ratio: float = 10.0
    own_norm: bool = False


class UnguardedNormRatio(Rule):
    """A quotient is unbounded if the norm in its denominator is near zero.

    What: a division by a norm (by calls or assignments in the function, or else by name) without a
    guard: no test of the norm or of the measured tensor, no lower clamp, no upper clamp, comparison
    or assertion of the quotient or of a value computed from it. `+ eps` with an epsilon below 1e-4,
    or with a named epsilon, is no guard. Also a division by the parameter count of a part of a model.

    Why: a frozen or converged host has no gradient. The ratio is then the seed's norm times 1e8, or
    inf, or NaN. The gate that reads it accepts the seed, or a running average never recovers.

    Quiet: a tensor divided by its own norm, directly or through a product with the quotient (clip
    coefficients, projections, weight normalisation), which is bounded and NaN only for the zero
    vector (option `own_norm`); an epsilon of 1e-4 or more; norm layers; limits such as `max_norm`;
    counts of all parameters; decibels (`log10`), which are infinite by definition.

    Tickets: deep dive 1.2, B3-PT-01, B3-DRL-14, real code
    """

    contract = "host-norm-guard"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    precision = "21 of 21 findings were correct (peft, diffusers, espnet and 6 more)"
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"BinOp"}),
        parts=frozenset({"norm", "param", "numel"}),
    )
    Options = NormRatioOptions
    options: NormRatioOptions

    VALID = (
        Valid(
            "an early return for a host without gradient, and a clamp",
            """
            def ratio(seed_norm, host_norm, factor):
                if host_norm < GRADIENT_EPSILON:
                    return 0.0
                return min(10.0, seed_norm / host_norm * factor)
            """,
        ),
        Valid(
            "an upper clamp of a value computed from the ratio",
            """
            def trust(w, g):
                raw = w.norm() / (g.norm() + 1e-8)
                scaled = raw * 0.5
                return scaled.clamp(max=10.0)
            """,
        ),
        Valid(
            "a lower clamp of the norm",
            """
            def ratio(seed_norm, host):
                host_norm = torch.linalg.vector_norm(host).clamp(min=1e-3)
                return seed_norm / host_norm
            """,
        ),
        Valid(
            "a trust ratio chosen by torch.where",
            """
            def step(p, g):
                w_norm, g_norm = p.norm(2.0), g.norm(2.0)
                trust = torch.where(g_norm > 0, w_norm / g_norm, 1.0)
                return trust
            """,
        ),
        Valid(
            "a clip coefficient that is compared",
            """
            def clip(grads, max_norm, total_norm):
                coefficient = max_norm / (total_norm + 1e-6)
                if coefficient < 1:
                    torch._foreach_mul_(grads, coefficient)
            """,
        ),
        Valid(
            "a vector and its own norm",
            """
            def unit(x):
                return x / (x.norm() + 1e-8)
            """,
        ),
        Valid(
            "embeddings and their own norm, by a helper and by a variable",
            """
            def encode(image, text):
                text_norm = torch.norm(text, dim=-1, keepdim=True)
                return image / _vector_norm(image), text / text_norm
            """,
        ),
        Valid(
            "weight normalisation",
            """
            def weight(g, v):
                norm = v.norm(2, keep, keepdim=True)
                return v * (g / norm.to(g.dtype))
            """,
        ),
        Valid(
            "a perturbation scaled to the gradients it multiplies",
            """
            def perturb(self, rho):
                grad_norm = self.grad_norm()
                scale = rho / (grad_norm + self.eps)
                for p in self.params:
                    p.add_(p.grad * scale)
            """,
        ),
        Valid(
            "a test of the measured tensor",
            """
            def derivative(f, p, h):
                if np.array_equal(p, np.zeros_like(p)):
                    return 0.0
                return f(h / np.linalg.norm(p))
            """,
        ),
        Valid(
            "an epsilon that is large enough to be intended",
            """
            def score(e, x_norm):
                return e / (1.0 + x_norm), e / (x_norm + 0.1)
            """,
        ),
        Valid(
            "a share of all parameters, and a mean over elements",
            """
            def show(model, loss):
                all_params = sum(p.numel() for p in model.parameters())
                return 100 * trainable / all_params, loss.sum() / loss.numel()
            """,
        ),
        Valid(
            "a decibel",
            """
            def sqnr(x, y):
                return 20 * torch.log10(torch.norm(x) / torch.norm(x - y))
            """,
        ),
        Valid(
            "a name that its assignment shows to be no norm",
            """
            def scale(q, width):
                norm = math.sqrt(width)
                return q / norm
            """,
        ),
    )
    INVALID = (
        Invalid(
            "an epsilon alone",
            """
            def ratio(seed_norm, host_norm):
                raw_ratio = seed_norm / (host_norm + GRADIENT_EPSILON)
                return raw_ratio
            """,
            ((2, SEED_RATIO.format("GRADIENT_EPSILON")),),
        ),
        Invalid(
            "plain numbers, with the fix of the ticket",
            """
            def ratio(seeds, hosts):
                seed_norm = torch.linalg.vector_norm(torch.stack(seeds)).item()
                host_norm = torch.linalg.vector_norm(torch.stack(hosts)).item()
                return seed_norm / (host_norm + 1e-8)
            """,
            ((4, SEED_RATIO.format("1e-8")),),
            fixed="""
            def ratio(seeds, hosts):
                seed_norm = torch.linalg.vector_norm(torch.stack(seeds)).item()
                host_norm = torch.linalg.vector_norm(torch.stack(hosts)).item()
                return (min(10.0, seed_norm / host_norm) if host_norm > 1e-8 else 0.0)
            """,
        ),
        Invalid(
            "norms of other things by data flow",
            """
            def guidance(a, b):
                size = torch.norm(b, dim=1)
                return torch.exp(-a.norm(dim=1) / size)
            """,
            ((3, "`-a.norm(dim=1) / size` divides by the norm `size` without a guard"),),
        ),
        Invalid(
            "a magnitude over the norm of a weight",
            """
            def forward(self, x, magnitude):
                norm = self.get_weight_norm(self.weight).detach()
                return (magnitude / norm).view(1, -1) * x
            """,
            ((3, "`magnitude / norm` divides by the norm `norm` without a guard"),),
        ),
        Invalid(
            "a parameter count",
            """
            def factor(host_params: int, seed_params: int) -> float:
                return (host_params / seed_params) ** 0.5
            """,
            ((2, NO_PARAMETERS.format("host_params", "seed_params")),),
            fixed="""
            def factor(host_params: int, seed_params: int) -> float:
                return (host_params / seed_params if seed_params > 0 else 0.0) ** 0.5
            """,
        ),
        Invalid(
            "a count by data flow",
            """
            def mean_gradient(total, seed):
                count = sum(p.numel() for p in seed.parameters())
                return total / count
            """,
            ((3, NO_PARAMETERS.format("total", "count")),),
            fixed="""
            def mean_gradient(total, seed):
                count = sum(p.numel() for p in seed.parameters())
                return (total / count if count > 0 else 0.0)
            """,
        ),
        Invalid(
            "the own norm, with the option `own_norm`",
            """
            def unit(x):
                return x / x.norm()
            """,
            ((2, "`x / x.norm()` is NaN for the zero vector"),),
            options={"own_norm": True},
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions."""
        return [node for node in nodes if isinstance(node, Function)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each division by a norm or a parameter count without a guard."""
        if not isinstance(node, Function):
            return
        if not file.once(_Operators).has_possible_norm_division(node, file):
            return
        flow = NormFlow(node)
        for division in flow.divisions:
            message = self._message(flow, division)
            if message:
                quotient = " ".join(file.code(division).split())
                fix = self._guarded(division, flow, file)
                yield Violation(division, f"`{quotient}` {message}", fix)

    def _message(self, flow: NormFlow, division: ast.BinOp) -> str:
        core, epsilon = split_epsilon(division.right)
        is_count = flow.is_count(core)
        if not (is_count or flow.is_norm(core)):
            return ""
        if flow.is_guarded(core) or flow.is_bounded(division):
            return ""
        name = ast.unparse(core)
        if is_count:
            return EMPTY.format(name)
        if flow.is_normalisation(division, core):
            is_reported = self.options.own_norm and epsilon is None
            return "is NaN for the zero vector" if is_reported else ""
        if epsilon is None:
            return f"divides by the norm `{name}` without a guard"
        return UNBOUNDED.format(name)

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


class _Operators:
    """The first lines of the divisions and of the powers of a file, sorted."""

    def __init__(self, file: FileView) -> None:
        operations = file.nodes(ast.BinOp)
        self._divisions = [node.lineno for node in operations if isinstance(node.op, ast.Div)]
        self._powers = [node.lineno for node in operations if isinstance(node.op, ast.Pow)]

    def has_possible_norm_division(self, function: Function, file: FileView) -> bool:
        """Return whether a function divides and contains a word that a norm or a count needs."""
        if not _is_between(self._divisions, function):
            return False
        return _is_between(self._powers, function) or bool(NORM_WORDS.search(file.text(function)))


def _is_between(lines: list[int], function: Function) -> bool:
    """Return whether one of the sorted lines lies in a function."""
    position = bisect_left(lines, function.lineno)
    return position < len(lines) and lines[position] <= (function.end_lineno or 0)
