"""Norms and parameter counts in a function, and the guards of divisions by them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from esper_audit.source.syntax.ast_walk import children, walk
from esper_audit.source.syntax.names import Function, dotted, text_of

NORM_MODULES = re.compile(r"(^|\.)(torch|np|numpy|jnp|LA|linalg|la)$")
NORM_NAME = re.compile(r"(^|_)norms?(_(avg|ema|mean|value|val|sq|l2))?$", re.IGNORECASE)
COUNT_NAME = re.compile(r"(^|_)(params|parameters|param_count|parameter_count)$")
LIMIT_NAME = re.compile(r"(^|_)(max|min|clip|target|desired|limit|threshold|all|total|model)(_|$)")
EPSILON_NAME = re.compile(r"(^|_)(eps|epsilon|tiny)(_|\d|$)", re.IGNORECASE)
LARGEST_EPSILON = 1e-4  # from here on 1 / epsilon may be an intended bound
VALUE_PRESERVING = frozenset(
    {"item", "detach", "float", "double", "cpu", "to", "unsqueeze", "view", "reshape", "expand"}
    | {"expand_as", "clone", "squeeze", "type_as"}
)
SCALING = frozenset(
    {"mul", "mul_", "multiply", "div", "div_", "add_", "addcmul_", "lerp_"}
    | {"_foreach_mul", "_foreach_mul_"}
)
ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Subscript, ast.keyword, ast.AugAssign)
BOUNDING = re.compile(
    r"clamp|assert|^(min|max|minimum|maximum|clip_?|where|nan_to_num_?|isfinite|isnan|isinf|isclose|"
    r"tanh|sigmoid|errstate|divide_no_nan|log10)$",
    re.IGNORECASE,
)


class NormFlow:
    """The assignments, divisions and tests of one function, without nested functions."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.values: dict[str, list[ast.expr]] = defaultdict(list)
        self.divisions: list[ast.BinOp] = []
        self._parents: dict[ast.AST, ast.AST] = {}
        for node in self._walk(function):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                self.divisions.append(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self.values[text_of(target)].append(node.value)
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._record_loop(node.target, node.iter)

    def origins(self, node: ast.expr) -> list[ast.expr]:
        """Return an expression and its sources through assignments that preserve the value."""
        found: dict[str, ast.expr] = {}
        pending = [node]
        while pending:
            origin = _strip_conversions(pending.pop())
            text = text_of(origin)
            if text not in found:
                found[text] = origin
                pending += self.values.get(text, ())
        return list(found.values())

    def is_norm(self, core: ast.expr) -> bool:
        """Return whether a denominator is a norm, by its assignments or else by its name."""
        origins = self.origins(core)
        return any(map(_norm_argument, origins)) or _is_named(origins, NORM_NAME)

    def is_count(self, core: ast.expr) -> bool:
        """Return whether a denominator is the number of parameters of a part of a model."""
        origins = self.origins(core)
        counted = any(map(_is_parameter_count, origins)) and not LIMIT_NAME.search(_name(core))
        return counted or _is_named(origins, COUNT_NAME)

    def is_guarded(self, core: ast.expr) -> bool:
        """Return whether a denominator, or the tensor it measures, is tested or clamped anywhere."""
        origins = self.origins(core)
        if any(
            isinstance(o, (ast.IfExp, ast.BoolOp)) or BOUNDING.search(_name(o)) for o in origins
        ):
            return True
        measured = self._uses(_measured_code(origins))
        direct = [n for n in measured if not isinstance(self._parents[n], ast.Attribute)]
        uses = [*self._uses(set(map(text_of, origins))), *direct]
        return any(self._is_tested(node) for node in uses)

    def is_bounded(self, division: ast.BinOp) -> bool:
        """Return whether a quotient, or a value computed from it, is clamped or compared."""
        uses = self._uses(self._derived(division))
        return any(self._is_tested(node) for node in (division, *uses))

    def is_normalisation(self, division: ast.BinOp, core: ast.expr) -> bool:
        """Return whether the quotient scales the measured tensor itself, so that the result is bounded."""
        origins = self.origins(core)
        subjects = _measured_code(origins)
        measured = {NORM_NAME.sub("", _name(o)).rstrip("s") for o in origins} | subjects - {""}
        inside = {*walk(division if self.is_norm(division.left) else division.right)}
        uses = (division, *self._uses(self._derived(division)))
        for part in (part for use in uses for part in walk(self._product(use))):
            if isinstance(part, ast.expr) and part not in inside:
                texts = {text_of(part), *map(text_of, self.origins(part))}
                if not subjects.isdisjoint(texts) or _has_measured_name(part, measured):
                    return True
        return False

    def _record_loop(self, target: ast.expr, iterated: ast.expr) -> None:
        """Record the iterated expression as the value of a loop variable, also for `zip`."""
        if isinstance(target, ast.Name):
            self.values[target.id].append(iterated)
        elif isinstance(target, ast.Tuple) and isinstance(iterated, ast.Call):
            for name, source in zip(target.elts, iterated.args, strict=False):
                if dotted(iterated.func) == "zip":
                    self._record_loop(name, source)

    def _walk(self, function: Function) -> Iterator[ast.AST]:
        stack: list[ast.AST] = list(reversed(function.body))
        while stack:
            node = stack.pop()
            yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                below = children(node)
                self._parents.update(dict.fromkeys(below, node))
                stack.extend(reversed(below))

    def _uses(self, texts: set[str]) -> list[ast.expr]:
        return [node for text in texts for node in self._nodes_by_text.get(text, ())]

    @cached_property
    def _nodes_by_text(self) -> dict[str, list[ast.expr]]:
        kinds = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for node in (n for n in self._parents if isinstance(n, kinds)):
            found[text_of(node)].append(node)
        return found

    def _derived(self, division: ast.BinOp) -> set[str]:
        """Return the names computed from a quotient, through any number of assignments."""
        found: set[str] = set()
        before = -1
        while before < len(found):
            before = len(found)
            for name, values in self.values.items():
                parts = (part for value in values for part in walk(value))
                if any(part is division or _text(part) in found for part in parts):
                    found.add(name)
        return found

    def _product(self, node: ast.AST) -> ast.AST:
        """Return the largest arithmetic expression that contains a node."""
        while True:
            above = self._parents.get(node)
            is_step = isinstance(above, ARITHMETIC) or (
                isinstance(above, ast.Call) and _name(above) in VALUE_PRESERVING | SCALING
            )
            if above is None or not is_step:
                return node
            node = above

    def _is_tested(self, node: ast.AST) -> bool:
        """Return whether a node is part of a test, a comparison or a bounding call."""
        while not isinstance(node, ast.stmt) and node in self._parents:
            above = self._parents[node]
            if isinstance(above, ast.Compare) and not _is_none_test(above):
                return True
            if isinstance(above, (ast.If, ast.While, ast.IfExp, ast.Assert)) and node is above.test:
                return not (isinstance(node, ast.Compare) and _is_none_test(node))
            if isinstance(above, ast.Call) and BOUNDING.search(_name(above)):
                return True
            node = above
        return False


def _has_measured_name(part: ast.expr, measured: set[str]) -> bool:
    """Return whether an expression has a measured name, as `p.grad` has that of `new_grad_norm`."""
    name = _name(part) or (part.value if isinstance(part, ast.Constant) else "")
    name = name if isinstance(name, str) else ""
    singular = name.rstrip("s")
    return bool(singular) and any(
        m == singular or m.endswith("_" + singular) or m.startswith(name + "_") for m in measured
    )


def split_epsilon(denominator: ast.expr) -> tuple[ast.expr, ast.expr | None]:
    """Return the norm and epsilon of `norm + epsilon`, or the denominator and None."""
    if isinstance(denominator, ast.BinOp) and isinstance(denominator.op, ast.Add):
        for core, addend in (
            (denominator.left, denominator.right),
            (denominator.right, denominator.left),
        ):
            if _is_epsilon(addend):
                return core, addend
    return denominator, None


def _is_epsilon(addend: ast.expr) -> bool:
    if isinstance(addend, ast.Constant):
        return isinstance(addend.value, float) and 0.0 <= addend.value < LARGEST_EPSILON
    return bool(EPSILON_NAME.search(_name(addend)))


def _measured_code(origins: list[ast.expr]) -> set[str]:
    """Return the code of the tensors that norms measure.

    A list counts as its elements, and an indexed part also as the whole.
    """
    found: set[str] = set()
    for subject in map(_norm_argument, origins):
        parts = subject.elts if isinstance(subject, (ast.List, ast.Tuple)) else [subject]
        for part in parts:
            while part is not None:
                found.add(text_of(part))
                part = part.value if isinstance(part, ast.Subscript) else None
    return found


def _norm_argument(node: ast.expr) -> ast.expr | None:
    """Return the tensor that a norm measures, or None if the node is no norm."""
    if isinstance(node, ast.Call) and NORM_NAME.search(_name(node).rstrip("_")):
        named = [keyword.value for keyword in node.keywords if keyword.arg in ("input", "x")]
        first = next(iter([*node.args, *named]), None)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if _name(node) != "norm" or receiver is None or NORM_MODULES.search(dotted(receiver)):
            return first or receiver or node
        takes_order = first is None or isinstance(first, (ast.Constant, ast.UnaryOp))
        return receiver if takes_order and dotted(receiver) != "self" else None
    root = _sum_under_root(node)
    squared = (_squared(part) for part in walk(root)) if root is not None else ()
    return next((base for base in squared if base is not None), None)


def _sum_under_root(node: ast.expr) -> ast.expr | None:
    """Return the sum under a square root, or None."""
    inner: ast.expr | None = None
    if isinstance(node, ast.Call) and _name(node) == "sqrt":
        inner = node.args[0] if node.args else node.func
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        inner = node.left if text_of(node.right) == "0.5" else None
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner if isinstance(inner, ast.Call) and _name(inner) == "sum" else None


def _squared(node: ast.AST) -> ast.expr | None:
    """Return x for `x ** 2` and `x.pow(2)`, else None."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return node.left if text_of(node.right) == "2" else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if text_of(node).endswith(".pow(2)") else None
    return None


def _is_parameter_count(node: ast.expr) -> bool:
    """Return whether a node is `sum(p.numel() for p in module.parameters())`."""
    if not isinstance(node, ast.Call) or dotted(node.func) != "sum":
        return False
    called = {_name(part) for part in walk(node) if isinstance(part, ast.Call)}
    return "numel" in called and "param" in text_of(node)


def _is_named(origins: list[ast.expr], pattern: re.Pattern[str]) -> bool:
    """Return whether the last source of a value has a name that matches a pattern and is no limit."""
    last = _name(origins[-1])
    return bool(pattern.search(last)) and not LIMIT_NAME.search(last)


def _strip_conversions(node: ast.expr) -> ast.expr:
    """Strip the operations that preserve a value, such as `.item()`, `float(...)` and `[:, None]`."""
    while True:
        if isinstance(node, ast.Call) and _name(node) in VALUE_PRESERVING:
            if isinstance(node.func, ast.Attribute):
                node = node.func.value
            elif node.args:
                node = node.args[0]
            else:
                return node
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            node = node.value
        else:
            return node


def _is_none_test(test: ast.Compare) -> bool:
    return isinstance(test.ops[0], (ast.Is, ast.IsNot))


def _name(node: ast.AST) -> str:
    """Return the last name of an attribute chain or of a called function, or the key of a subscript."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.AST) -> str:
    return text_of(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
