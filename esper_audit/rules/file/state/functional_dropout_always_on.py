"""The rule `functional-dropout-always-on`: a dropout that does not follow the mode of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import functional_dropout_always_on_cases as cases
from esper_audit.rules.rule import Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.state.module_modes import MODE, has_mode, is_sampling, is_under_mode
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

ALWAYS_ON = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d"})
ALWAYS_OFF = frozenset({"alpha_dropout", "feature_alpha_dropout"})
MODULES = frozenset(
    {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
)
CREATED = "`{}` is made in `{}`, so that it is always in training mode: make it in `__init__`"
POSITION_OF_TRAINING = 2


class FunctionalDropoutAlwaysOn(Rule):
    """A functional dropout drops in eval mode, too.

    What: a call of `F.dropout`, `F.dropout1d`, `F.dropout2d` or `F.dropout3d` without `training` in a
    method of a module, or in a function of the same file that a method of a module calls; a
    `partial` of one; an `nn.Dropout` that `forward` makes and calls; `F.alpha_dropout` and
    `F.feature_alpha_dropout`, whose `training` is False by default, so that they never drop.

    Why: the function knows no mode. `model.eval()` changes nothing: predictions are random, metrics
    are too low, and an exported model differs at each call.

    Quiet: `training=` in any form; a call under a test of the mode; a method whose name or class
    asks for samples (`mc_dropout`, `sample`, `augment`) or for training (`training_step`).

    Tickets: real code
    """

    contract = "eval-determinism"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = "0 findings in 19 packages"
    triggers = Triggers(
        calls=ALWAYS_ON | ALWAYS_OFF | MODULES | {"partial"},
        words=ALWAYS_ON | ALWAYS_OFF | MODULES,
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report functional dropouts in a module that are not given its mode."""
        if not isinstance(node, ast.Call):
            return
        if terminal_name(node.func) in MODULES:
            yield from _created(node, file)
            return
        name = _dropout_without_mode(node, file)
        if not name or is_under_mode(node, file):
            return
        functions = file.functions(node)
        if not functions or is_sampling(node, file):
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


def _dropout_without_mode(node: ast.Call, file: FileView) -> str:
    """Return the name of a functional dropout that is called, or bound by `partial`, without a mode."""
    target = file.resolve(node.func) or ""
    arguments = node.args
    if target == "functools.partial" and arguments:
        target = file.resolve(arguments[0]) or ""
        arguments = arguments[1:]
    name = target.removeprefix("torch.nn.functional.")
    if name == target or name not in ALWAYS_ON | ALWAYS_OFF:
        return ""
    if len(arguments) > POSITION_OF_TRAINING or any(isinstance(a, ast.Starred) for a in arguments):
        return ""
    keywords = {k.arg for k in node.keywords}
    if keywords & {"training", None} or any(has_mode(k.value) for k in node.keywords):
        return ""
    rate = next((k.value for k in node.keywords if k.arg == "p"), None) or next(
        iter(arguments[1:2]), None
    )
    is_off = isinstance(rate, ast.Constant) and rate.value == 0
    return "" if is_off or any(map(has_mode, arguments)) else name


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
