"""The rule `or-number`: a zero that was given is replaced by a default."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.number_uses import is_computed_with
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import defaults, parameters, text_of

MESSAGE = (
    "`{}` replaces a `{}` of 0 by {}, although 0 is a number that can be given. Test `{} is None`"
)
# A number from which on it means that there is no limit, as 0 does then.
UNLIMITED = 1e6
PLACES = (ast.Name, ast.Attribute)


class OrNumber(Rule):
    """A zero that was given is replaced by a default.

    What: `x or 0.1`, or `x if x else 0.1`, where `x` is a parameter or attribute annotated as an optional
    float, or a parameter whose default is None, and the number on the right is not 0.

    Why: 0 is a rate, a weight, a temperature or a probability that its caller chose. It becomes the
    default, and the run that should show the effect of switching something off shows none.

    Quiet: a whole number (`or 1.0`, `or 2.0`) with which the file computes nothing, as it may be an order
    or a divisor elsewhere; an `assert` that what is computed from it is greater than 0; `is None` tests,
    also beside it in the same statement; integers, where 0 layers or steps mean nothing; a condition;
    numbers of a million and more, where 0 and they mean no limit.

    Off unless selected: where a zero means "not given" the fallback is right, and the code does not show it.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    default = False
    precision = "1 of 5 by readers in 49 packages, before mending on them; 2 of 2 in 27 and 2 of 2 in 36 others, after"
    triggers = Triggers(nodes=frozenset({"BoolOp", "IfExp"}), words=frozenset({"or", "if"}))

    VALID = (
        Valid(
            "a whole number that is only passed on",
            """
            class Clip:
                def __init__(self, order: float | None = None, beta: float | None = None):
                    self.order = order or 2.0
                    self.act = Act(beta=beta or 1.0)
            """,
        ),
        Valid(
            "a factor whose product must be positive",
            """
            class Search:
                def __init__(self, width, slack: float | None = None):
                    self.slack = slack or 1.0
                    self.kept: int = round(width * self.slack)
                    assert self.kept > 0
            """,
        ),
        Valid(
            "a test for None",
            """
            def build(rate: float | None = None):
                return 0.1 if rate is None else rate
            """,
        ),
        Valid(
            "a count",
            """
            def build(layers: int | None = None):
                return layers or 12
            """,
        ),
        Valid(
            "a flag beside it tells whether it is given",
            """
            def options(cap: float | None = None):
                return {"cap": cap or 1.0, "has_cap": cap is not None}
            """,
        ),
        Valid(
            "no limit",
            """
            def build(limit: float | None = None):
                return limit if limit else 1e9
            """,
        ),
        Valid(
            "zero by default",
            """
            def build(rate: float | None = None):
                return rate or 0.0
            """,
        ),
        Valid(
            "a condition, and a name without annotation",
            """
            def build(rate: float | None, other):
                if rate or 0.5:
                    return other or 0.5
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a field of a configuration of the file",
            """
            from dataclasses import dataclass

            @dataclass
            class Plan:
                rate: float | None = None
                share: float = 0.0

            class Learner:
                def __init__(self, plan: Plan, other):
                    self.rate = plan.rate or 0.5
                    self.share = (plan.share or 0.5) + (other.rate or 0.5)
            """,
            ((10, MESSAGE.format("plan.rate or 0.5", "plan.rate", "0.5", "plan.rate")),),
        ),
        Invalid(
            "a whole number that is kept and computed with, and one that is checked to be no less than 0",
            """
            class Layer:
                def __init__(self, scale: float | None = None, part: float | None = None):
                    if part is not None and part < 0:
                        raise ValueError(part)
                    self.scale = scale or 1.0
                    self.part = part or 1.0

                def forward(self, x):
                    return x * self.scale
            """,
            (
                (5, MESSAGE.format("scale or 1.0", "scale", "1.0", "scale")),
                (6, MESSAGE.format("part or 1.0", "part", "1.0", "part")),
            ),
        ),
        Invalid(
            "an optional rate",
            """
            class Layer:
                def __init__(self, width, drop: float | None = None):
                    self.drop = drop or 0.1
            """,
            ((3, MESSAGE.format("drop or 0.1", "drop", "0.1", "drop")),),
            fixed="""
            class Layer:
                def __init__(self, width, drop: float | None = None):
                    self.drop = (0.1 if drop is None else drop)
            """,
        ),
        Invalid(
            "an attribute of a dataclass, and a parameter without annotation",
            """
            @dataclass
            class Options:
                decay: float | None = None

                def build(self, floor=None):
                    return Layer(decay=self.decay if self.decay else 0.99, floor=floor or 1e-3)
            """,
            (
                (
                    6,
                    MESSAGE.format(
                        "self.decay if self.decay else 0.99", "self.decay", "0.99", "self.decay"
                    ),
                ),
                (6, MESSAGE.format("floor or 1e-3", "floor", "1e-3", "floor")),
            ),
        ),
        Invalid(
            "in an argument, with Optional",
            """
            from typing import Optional

            def sample(logits, temperature: Optional[float] = None):
                return softmax(logits / (temperature or 1.0))
            """,
            ((4, MESSAGE.format("temperature or 1.0", "temperature", "1.0", "temperature")),),
            fixed="""
            from typing import Optional

            def sample(logits, temperature: Optional[float] = None):
                return softmax(logits / (1.0 if temperature is None else temperature))
            """,
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep `name or number` and `name if name else number`."""
        return [node for node in nodes if _name_and_number(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report defaults for optional numbers that may be 0."""
        pair = _name_and_number(node)
        if pair is None or not isinstance(node, (ast.BoolOp, ast.IfExp)):
            return
        name, number = pair
        if not _is_optional_float(name, number, file):
            return
        if _is_condition(node, file) or _is_tested(name, file) or _is_positive(node, file):
            return
        if float(file.code(number)).is_integer() and not is_computed_with(node, name, file):
            return
        text, default = text_of(name), file.code(number)
        yield Violation(
            node,
            MESSAGE.format(file.code(node), text, default, text),
            _fix(node, file, f"{default} if {text} is None else {text}"),
        )


def _fix(node: ast.BoolOp | ast.IfExp, file: FileView, code: str) -> Replacement:
    text = code if file.is_parenthesised(node) else f"({code})"
    return Replacement(node, text, safe=False, description="test for None")


def _name_and_number(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """Return the name and the number of `name or number`, None for any other expression."""
    if isinstance(node, ast.IfExp):
        name, number = node.body, node.orelse
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and len(node.values) == 2:
        name, number = node.values
    else:
        return None
    if not isinstance(name, (ast.Name, ast.Attribute)) or not isinstance(number, ast.Constant):
        return None
    if not isinstance(number.value, (int, float)) or isinstance(number.value, bool):
        return None
    if isinstance(node, ast.IfExp) and text_of(node.test) != text_of(name):
        return None
    return (name, number) if 0 < number.value < UNLIMITED else None


def _is_condition(node: ast.BoolOp | ast.IfExp, file: FileView) -> bool:
    """Return whether the result of an expression is only tested."""
    above = file.parent(node)
    is_test = isinstance(above, (ast.If, ast.While, ast.IfExp)) and above.test is node
    return is_test or isinstance(above, (ast.BoolOp, ast.Assert))


def _is_tested(name: ast.expr, file: FileView) -> bool:
    """Return whether the statement around a name also tests it for None."""
    tests = scan(file.enclosing(name)[-1], {ast.Compare})
    return any(isinstance(t, ast.Compare) and text_of(t.left) == text_of(name) for t in tests)


def _is_positive(node: ast.expr, file: FileView) -> bool:
    """Return whether the function asserts that the number, or what it computes from it, exceeds 0."""
    statement, functions = file.enclosing(node)[-1], file.functions(node)
    if not functions or not isinstance(statement, ast.Assign):
        return False
    held = {text_of(target) for target in statement.targets}
    for later in scan(functions[-1], {ast.Assign, ast.AnnAssign}):
        if not isinstance(later, (ast.Assign, ast.AnnAssign)) or later.value is None:
            continue
        targets = later.targets if isinstance(later, ast.Assign) else [later.target]
        if held & {text_of(part) for part in ast.walk(later.value) if isinstance(part, PLACES)}:
            held |= {text_of(target) for target in targets}
    tests = [a.test for a in scan(functions[-1], {ast.Assert}) if isinstance(a, ast.Assert)]
    bounds = [test for test in tests if isinstance(test, ast.Compare)]
    return any(text_of(b.left) in held and isinstance(b.ops[0], ast.Gt) for b in bounds)


def _is_optional_float(name: ast.expr, number: ast.expr, file: FileView) -> bool:
    """Return whether a value is an optional float: by its annotation, or by None for its default."""
    if isinstance(name, ast.Attribute):
        owner = _owner(name, file) if text_of(name.value) == "self" else _kind_of(name.value, file)
        return _is_optional(file.once(_annotations).get((owner, name.attr)))
    if not isinstance(name, ast.Name):
        return False
    for function in reversed(file.functions(name)):
        for parameter in parameters(function.args):
            if parameter.arg == name.id and parameter.annotation is None:
                default = defaults(function.args).get(name.id)
                is_none = isinstance(default, ast.Constant) and default.value is None
                return is_none and isinstance(number, ast.Constant) and type(number.value) is float
            if parameter.arg == name.id:
                return _is_optional(parameter.annotation)
    return False


def _kind_of(holder: ast.expr, file: FileView) -> str:
    """Return the class with which a parameter is annotated, empty without one."""
    given = (p for function in file.functions(holder) for p in parameters(function.args))
    annotations = (p.annotation for p in given if p.arg == text_of(holder))
    return next((text_of(annotation) for annotation in annotations if annotation is not None), "")


def _is_optional(annotation: ast.expr | None) -> bool:
    text = ast.unparse(annotation) if annotation is not None else ""
    is_optional = "None" in text or "Optional" in text
    return is_optional and "float" in text and "Tensor" not in text


def _annotations(file: FileView) -> dict[tuple[str, str], ast.expr]:
    """Return the annotations of the attributes of each class, by class and attribute."""
    return {
        (_owner(node.target, file), text_of(node.target).removeprefix("self.")): node.annotation
        for node in file.nodes(ast.AnnAssign)
    }


def _owner(node: ast.expr, file: FileView) -> str:
    """Return the name of the innermost class around a node."""
    scopes = [d.name for d in file.definitions(node) if isinstance(d, ast.ClassDef)]
    return scopes[-1] if scopes else ""
