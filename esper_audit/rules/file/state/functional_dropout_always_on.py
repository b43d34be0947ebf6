"""The rule `functional-dropout-always-on`: a dropout that does not follow the mode of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import functional_dropout_always_on_cases as cases
from esper_audit.rules.rule import Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.state.functional_dropouts import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ATTENTION,
    calls_of_alias,
    dropout_without_mode,
    is_possible_alias,
    rate_of_attention,
)
from esper_audit.source.idioms.state.module_modes import (
    MODE,
    is_documented_noise,
    is_sampling,
    is_under_mode,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

MODULES = frozenset(
    {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
)
CREATED = "`{}` is made in `{}`, so that it is always in training mode: make it in `__init__`"


class FunctionalDropoutAlwaysOn(Rule):
    """A functional dropout drops in eval mode, too.

    What: a call of `F.dropout`, `F.dropout1d`, `F.dropout2d` or `F.dropout3d` without `training` in a
    method of a module, or in a function of the same file that a method of a module calls; a
    `partial` of one; an `nn.Dropout` that `forward` makes and calls; `F.scaled_dot_product_attention`
    with a `dropout_p` that is a number or an attribute which `__init__` alone sets; `F.alpha_dropout`
    and `F.feature_alpha_dropout`, whose `training` is False by default, so that they never drop.

    Why: the function knows no mode. `model.eval()` changes nothing: predictions are random, metrics
    are too low, and an exported model differs at each call.

    Quiet: `training=` in any form; a call under a test of the mode; a method whose name or class
    asks for samples (`mc_dropout`, `sample`, `augment`) or for training (`training_step`); a docstring
    of the class or a comment above the call that states the noise (`not deterministic`).

    Tickets: real code
    """

    contract = "eval-determinism"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "15 of 15 by readers in 152 packages, after mending on them; attentions: 10 of 11 as their author read "
        "them (monai, vit-pytorch, neuralforecast, sktime); 10 of 10 in the last 65 unseen packages, before "
        "mending on them, without attentions"
    )
    triggers = Triggers(
        calls=ALWAYS_ON | ALWAYS_OFF | MODULES | {"partial", ATTENTION},
        attributes=ALWAYS_ON,
        words=ALWAYS_ON | ALWAYS_OFF | MODULES | {ATTENTION},
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop the attributes of the object itself."""
        return [n for n in nodes if isinstance(n, ast.Call) or is_possible_alias(n)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report functional dropouts in a module that are not given its mode."""
        if isinstance(node, ast.Attribute):
            for call in calls_of_alias(node, file):
                yield from self.check(call, file)
        if not isinstance(node, ast.Call):
            return
        if terminal_name(node.func) in MODULES:
            yield from _created(node, file)
            return
        rate = rate_of_attention(node, file)
        if rate is not None:
            yield from _attended(node, rate, file)
            return
        name = dropout_without_mode(node, file)
        if not name or is_under_mode(node, file):
            return
        functions = file.functions(node)
        if not functions or is_sampling(node, file) or is_documented_noise(node, file):
            return
        method = functions[0]
        family = _module_around(method, file)
        if family is None and not _is_called_by_module(method, file):
            return
        code = " ".join(file.code(node).split())
        effect = "drops in eval mode, too" if name in ALWAYS_ON else "never drops"
        repair = "training=self.training" if family is not None else "training"
        source = "" if family is not None else " from the caller"
        is_fixable = family is not None and family.is_module and name in ALWAYS_ON
        yield Violation(
            node,
            f"`{code}` {effect}: pass `{repair}`{source}",
            _repaired(node, file) if is_fixable else None,
        )


def _created(node: ast.Call, file: FileView) -> Iterator[Violation]:
    """Yield a dropout module that the forward of a module makes and calls itself."""
    is_torch = (file.resolve(node.func) or "").startswith("torch.nn.")
    functions = file.functions(node)
    if not is_torch or len(functions) != 1 or functions[0].name != "forward":
        return
    above = file.parent(node)
    is_called = isinstance(above, ast.Call) and above.func is node
    target = above.targets[0] if isinstance(above, ast.Assign) else None
    calls = (call for call in scan(functions[0], {ast.Call}) if isinstance(call, ast.Call))
    is_called |= isinstance(target, ast.Name) and any(dotted(c.func) == target.id for c in calls)
    if not is_called or is_under_mode(node, file) or _module_around(functions[0], file) is None:
        return
    if not is_sampling(node, file):
        yield Violation(node, CREATED.format(file.code(node), functions[0].name))


def _attended(node: ast.Call, rate: ast.expr, file: FileView) -> Iterator[Violation]:
    """Yield an attention in a method of a module whose rate is the same in both modes."""
    functions = file.functions(node)
    is_named = is_sampling(node, file) or is_documented_noise(node, file)
    if is_named or is_under_mode(node, file) or not functions:
        return
    if _module_around(functions[0], file) is not None:
        code = f"{file.code(rate)} if self.training else 0.0"
        yield Violation(
            rate,
            f"`{ATTENTION}` drops in eval mode, too: pass `dropout_p={code}`",
            Replacement(rate, code, safe=True, description="drop in training mode only"),
        )


def _module_around(method: Function, file: FileView) -> ClassFamily | None:
    """Return the module class of which a function is a method, None if it is none."""
    table = file.once(class_table)
    owner = table.owner(method)
    if owner is None or own_name(method) != "self":
        return None
    family = table.family(owner)
    is_module = family.is_module or (family.foreign_bases and family.method("forward"))
    return family if is_module else None


def _is_called_by_module(function: Function, file: FileView) -> bool:
    """Return whether a function without a mode of its own is called by a method of a module."""
    if file.definitions(function) or any(MODE.search(p.arg) for p in parameters(function.args)):
        return False
    calls = (c for c in file.nodes(ast.Call) if isinstance(c.func, ast.Name))
    callers = (file.functions(c)[:1] for c in calls if c.func.id == function.name)  # type: ignore[attr-defined]  # a name
    return any(_module_around(method, file) for found in callers for method in found)


def _repaired(node: ast.Call, file: FileView) -> Replacement | None:
    code = file.code(node)
    if "#" in code or not code.endswith(")"):
        return None
    inner = code[:-1].rstrip().removesuffix(",")
    return Replacement(
        node,
        f"{inner}, training=self.training)",
        safe=True,
        description="drop in training mode only",
    )
