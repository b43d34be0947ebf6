"""The rule `uncorrected-ema`: an average that starts at zero is read as if it were full-grown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Reach, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.ema_initial_value import has_twin_at_one, starts_at_zero
from esper_audit.source.idioms.numerics.ema_update import (
    UPDATES,
    is_constant,
    number,
    update,
    updates,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

CORRECTS = re.compile(r"(?i)bias_?corr|debias|unbias|corrected")
OPTIMIZER = re.compile(r"(?i)optim|rmsprop")


class UncorrectedEma(Rule):
    """An average that starts at zero is read as if it were full-grown.

    What: an exponential moving average (`avg = b*avg + (1 - b)*x`, `avg.mul_(b).add_(x, alpha=1-b)`,
    `avg.lerp_(x, w)`, `avg += w*(x - avg)`) with a constant rate whose start is zero, in a class or
    function that never divides by `1 - b**n` nor begins with the first sample.

    Why: after n steps it is short by the factor `b**n`: at b = 0.9 the first value is a tenth of
    the truth, at 0.99 it still lacks a third after a hundred steps. A gate, a ratio or a reward
    that reads it decides on the warm-up, not on the network.

    Quiet: it starts with None, the first sample or a copy; something like `1 - b**n`, a name like
    `bias_correction`, or a division by another average (both are short by the same factor) stands
    in the class; the rate changes from step to step (a gate, a warm-up, 1/n); a local that is
    blended once, not in a loop; statistics that start as (0, 1) like those of a batch norm; an
    optimizer, whose formula is the paper's.

    Tickets: deep dive 2, B7-CR-04, real code
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P3
    precision = "21 of 22 read were right (peft, torchrl, monai, pfrl, espnet, ultralytics)"
    triggers = Triggers(
        calls=UPDATES,
        nodes=frozenset({"Assign", "AugAssign"}),
        # `1 - b`, `x - avg`, or two literals that add to one; `lerp` needs neither.
        parts=frozenset({"-", "0.", " .", "lerp"}),
    )
    reach = Reach.STATEMENT

    VALID = (
        Valid(
            "a corrected average",
            "class Norm:\n    def __init__(self):\n        self.avg = 0.0\n        self.n = 0\n"
            "    def update(self, x):\n        self.n += 1\n"
            "        self.avg = self.b * self.avg + (1 - self.b) * x\n"
            "        return self.avg / (1 - self.b ** self.n)\n",
        ),
        Valid(
            "the first sample starts it",
            "class Norm:\n    def __init__(self):\n        self.avg = 0.0\n"
            "    def update(self, x):\n        if self.first:\n            self.avg = x\n"
            "        else:\n            self.avg = 0.9 * self.avg + 0.1 * x\n",
        ),
        Valid(
            "it starts with nothing",
            "avg = None\nfor x in xs:\n    avg = x if avg is None else avg\n    avg = 0.9 * avg + 0.1 * x\n",
        ),
        Valid(
            "an average of parameters starts with a copy",
            "class Teacher:\n    def __init__(self, model):\n        self.w = model.w.clone()\n"
            "    def update(self, model):\n        self.w.mul_(0.99).add_(model.w, alpha=0.01)\n",
        ),
        Valid(
            "parameters of unknown origin",
            "for p, q in zip(a, b):\n    p.data.mul_(decay).add_(q.data, alpha=1 - decay)\n",
        ),
        Valid(
            "Adam",
            "def step(p, g, beta, n):\n    m = torch.zeros_like(p)\n    for _ in range(n):\n"
            "        m.mul_(beta).add_(g, alpha=1 - beta)\n    return m / (1 - beta ** n)\n",
        ),
        Valid(
            "an optimizer that means it",
            "class Lion(torch.optim.Optimizer):\n    def __init__(self, p):\n"
            "        self.m = torch.zeros_like(p)\n    def step(self, g):\n"
            "        self.m.lerp_(g, 1 - self.beta)\n",
        ),
        Valid(
            "momentum without the complement",
            "class SGD:\n    def __init__(self, p):\n        self.v = torch.zeros_like(p)\n"
            "    def step(self, g):\n        self.v = 0.9 * self.v + g\n        self.v.mul_(b).add_(g)\n",
        ),
        Valid(
            "a gate of a recurrent cell",
            "def run(xs):\n    h = torch.zeros(8)\n    for x in xs:\n        z = gate(x, h)\n"
            "        h = z * h + (1 - z) * new(x)\n    return h\n",
        ),
        Valid(
            "a rate that warms up",
            "class Norm:\n    avg = 0.0\n    def update(self, x):\n"
            "        d = min(self.decay, (1 + self.n) / (10 + self.n))\n"
            "        self.avg = d * self.avg + (1 - d) * x\n",
        ),
        Valid(
            "a mean of all samples",
            "mean = 0.0\nfor n, x in enumerate(xs, 1):\n    mean += (1 / n) * (x - mean)\n",
        ),
        Valid(
            "two images blended once",
            "def mix(a, b, w):\n    out = torch.zeros_like(a)\n    out = w * out + (1 - w) * b\n    return out\n",
        ),
        Valid(
            "statistics of a batch norm",
            "class Norm(Module):\n    def __init__(self, n):\n"
            "        self.register_buffer('mean', torch.zeros(n))\n"
            "        self.register_buffer('std', torch.ones(n))\n    def update(self, x):\n"
            "        self.mean.lerp_(x.mean(0), self.rate)\n        self.std.lerp_(x.std(0), self.rate)\n",
        ),
        Valid(
            "an average divided by another",
            "class Codebook:\n    def __init__(self):\n        self.count = torch.zeros(8)\n"
            "        self.total = torch.zeros(8, 4)\n    def update(self, n, x):\n"
            "        self.count.mul_(self.b).add_(n, alpha=1 - self.b)\n"
            "        self.total.mul_(self.b).add_(x, alpha=1 - self.b)\n"
            "        return self.total / self.count.unsqueeze(1)\n",
        ),
    )  # fmt: skip
    INVALID = (
        Invalid(
            "an attribute",
            "class Norm:\n    def __init__(self):\n        self.avg = 0.0\n    def update(self, x):\n"
            "        self.avg = DECAY * self.avg + (1 - DECAY) * x\n        return self.avg\n",
            ((5, "self.avg starts at zero, uncorrected: its first value is 1 - DECAY of the truth"),),
        ),
        Invalid(
            "a field of a dataclass of this file",
            "@dataclass\nclass Metrics:\n    norm_avg: float = 0.0\n"
            "def record(metrics, norm):\n    metrics.norm_avg = metrics.norm_avg * 0.9 + norm * 0.1\n",
            ((5, "metrics.norm_avg starts at zero, uncorrected: its first value is 0.1 of the truth"),),
        ),
        Invalid(
            "a buffer, in place",
            "class Norm(Module):\n    def __init__(self, n):\n"
            "        self.register_buffer('avg', torch.zeros(n, device=d).float())\n"
            "        self.low = nn.Parameter(torch.zeros(()))\n"
            "    def forward(self, x):\n        self.avg.mul_(self.b).add_((1 - self.b) * x)\n"
            "        self.low.data.lerp_(x, self.rate)\n"
            "    def load_state_dict(self, state):\n        self.avg = state['avg']\n",
            (
                (6, "self.avg starts at zero, uncorrected: its first value is 1 - self.b of the truth"),
                (7, "self.low starts at zero, uncorrected: its first value is self.rate of the truth"),
            ),
        ),
        Invalid(
            "a local, in a loop",
            "def train(xs, beta):\n    loss = 0\n    sq = torch.zeros_like(p)\n    for x in xs:\n"
            "        loss = torch.lerp(loss, f(x), 1.0 - beta)\n"
            "        sq.mul_(beta).addcmul_(x, x, value=1.0 - beta)\n    return loss, sq\n",
            (
                (5, "loss starts at zero, uncorrected: its first value is 1.0 - beta of the truth"),
                (6, "sq starts at zero, uncorrected: its first value is 1.0 - beta of the truth"),
            ),
        ),
        Invalid(
            "by the difference",
            "class Agent:\n    def __init__(self):\n        self.value = 0\n    def step(self, loss):\n"
            "        self.value += (1 - self.decay) * (float(loss) - self.value)\n",
            ((5, "self.value starts at zero, uncorrected: its first value is 1 - self.decay of the truth"),),
        ),
        Invalid(
            "a loop of a script",
            "reward = 0.0\nfor episode in episodes:\n    reward += 0.05 * (episode.reward - reward)\n",
            ((3, "reward starts at zero, uncorrected: its first value is 0.05 of the truth"),),
        ),
        Invalid(
            "in the middle of a chain",
            "class Norm:\n    avg = torch.zeros(())\n    def update(self, x):\n"
            "        return (\n            self.avg.mul_(self.b)\n            .add_(x, alpha=1 - self.b)  # new\n"
            "            .sqrt()\n        )\n",
            ((5, "self.avg starts at zero, uncorrected: its first value is 1 - self.b of the truth"),),
        ),
        Invalid(
            "a product by call",
            "class Codebook(Module):\n    def __init__(self, n):\n"
            "        self.register_buffer('size', torch.zeros(n))\n    def forward(self, x):\n"
            "        self.size.data.mul_(self.b).add_(torch.mul(x.sum(0), 1 - self.b))\n",
            ((5, "self.size starts at zero, uncorrected: its first value is 1 - self.b of the truth"),),
        ),
    )  # fmt: skip

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep what updates a moving average."""
        return update(node) is not None

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report the update of an average whose start is zero and which nothing corrects."""
        found = update(_reread(node, view))
        if found is None:
            return
        average, tree, functions = found.average, view.source.tree, view.functions(node)
        owner = _owner(functions, tree)
        local = functions[-1] if functions else tree
        scope = owner if owner is not None and "." in average else local
        if _is_optimizer(owner) or not is_constant(found.share, local):
            return
        is_average = "." in average or _is_repeated(average, local)
        if not is_average or _is_corrected(scope) or has_twin_at_one(average, scope):
            return
        if starts_at_zero(average, scope, tree):
            share = quoted(ast.unparse(found.share))
            message = (
                f"{average} starts at zero, uncorrected: its first value is {share} of the truth"
            )
            yield Violation(node, message)


def _reread(node: cst.CSTNode, view: View) -> ast.AST:
    """Return a node as `ast` reads it, so that one recogniser serves sieve and confirmation."""
    code = view.code(node)
    if isinstance(node, cst.Call):
        return ast.parse(f"({code}\n)", mode="eval").body
    return ast.parse(code).body[0]


def _owner(functions: Sequence[Function], tree: ast.Module) -> ast.ClassDef | None:
    """Return the innermost class of which one of the functions is a method."""
    classes = (node for node in walk(tree) if isinstance(node, ast.ClassDef))
    owners = [owner for owner in classes if any(function in owner.body for function in functions)]
    return owners[-1] if owners else None


def _is_optimizer(owner: ast.ClassDef | None) -> bool:
    return owner is not None and any(
        OPTIMIZER.search(name) for name in (owner.name, *map(ast.unparse, owner.bases))
    )


def _is_repeated(average: str, scope: ast.AST) -> bool:
    loops = (node for node in walk(scope) if isinstance(node, (ast.For, ast.AsyncFor, ast.While)))
    return any(found.average == average for loop in loops for found in updates(loop))


def _is_corrected(scope: ast.AST) -> bool:
    """Return whether a scope corrects an average: by `1 - b**n`, in name, or by another average."""
    averages = {found.average.rpartition(".")[2] for found in updates(scope)}
    return any(
        CORRECTS.search(_identifier(node))
        or (isinstance(node, ast.BinOp) and _is_correction(node, averages))
        for node in walk(scope)
    )


def _is_correction(node: ast.BinOp, averages: set[str]) -> bool:
    if isinstance(node.op, ast.Sub) and number(node.left) == 1:
        by_call = isinstance(node.right, ast.Call) and dotted(node.right.func).endswith("pow")
        by_operator = isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Pow)
        return by_call or by_operator
    sides = ({_identifier(part) for part in walk(side)} for side in (node.left, node.right))
    return isinstance(node.op, ast.Div) and not any(averages.isdisjoint(side) for side in sides)


def _identifier(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
