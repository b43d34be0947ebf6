"""The assignments, divisions and tests of a function, as far as norms and parameter counts need them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from esper_audit.source.idioms.norms.distances import is_error_of
from esper_audit.source.idioms.norms.loop_bindings import loop_values
from esper_audit.source.idioms.norms.norm_expressions import (
    BOUNDING,
    COUNT_NAME,
    LIMIT_NAME,
    NORM_NAME,
    VALUE_PRESERVING,
    division_in,
    has_measured_name,
    is_about_kind,
    is_constant_tensor,
    is_library_norm,
    is_named,
    is_none_test,
    is_numpy_norm,
    is_parameter_count,
    is_parameter_type,
    is_row_norm,
    is_weight,
    measured_code,
    name_of,
    name_or_attribute,
    norm_argument,
    strip_conversions,
)
from esper_audit.source.idioms.norms.norm_helpers import NormHelpers
from esper_audit.source.syntax.ast_walk import children, names_in, walk
from esper_audit.source.syntax.names import Function, dotted, parameters, text_of

SCALING = frozenset(
    {"mul", "mul_", "multiply", "div", "div_", "add_", "addcmul_", "lerp_"}
    | {"_foreach_mul", "_foreach_mul_"}
)
ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Subscript, ast.keyword, ast.AugAssign)


class NormFlow:
    """The assignments, divisions and tests of one function, without nested functions."""

    def __init__(self, function: Function, helpers: NormHelpers) -> None:
        self.function = function
        self._assigned: list[tuple[ast.expr | str, ast.expr]] = []
        self.divisions: list[ast.BinOp] = []
        self.places: dict[ast.expr, ast.AST] = {}
        self._helpers = helpers
        self._parents: dict[ast.AST, ast.AST] = {}
        for node in self._walk(function):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                self.divisions.append(node)
            elif isinstance(node, (ast.AugAssign, ast.Call)):
                division = division_in(node)
                if division is not None:
                    self.divisions.append(division)
                    self.places[division] = node
                if division is not None and isinstance(node, ast.AugAssign):
                    self._assigned.append((node.target, division))
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self._assigned += [(target, node.value) for target in targets]
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._assigned += loop_values(node.target, node.iter)

    @cached_property
    def values(self) -> dict[str, list[ast.expr]]:
        """The values that the function assigns to each name or place, in order."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for target, value in self._assigned:
            found[target if isinstance(target, str) else text_of(target)].append(value)
        return found

    def origins(self, node: ast.expr) -> list[ast.expr]:
        """Return an expression and its sources through assignments that preserve the value."""
        found: dict[str, ast.expr] = {}
        pending = [node]
        while pending:
            origin = strip_conversions(pending.pop())
            text = text_of(origin)
            if text not in found:
                found[text] = origin
                pending += self.values.get(text, ())
        return list(found.values())

    def is_norm(self, core: ast.expr) -> bool:
        """Return whether a value is a norm, by its assignments or else by its name."""
        origins = self.origins(core)
        return any(map(self._measured, origins)) or is_named(origins, NORM_NAME)

    def is_computed_norm(self, core: ast.expr) -> bool:
        """Return whether a value is a norm that the function or a helper of the file computes."""
        origins = self.origins(core)
        return any(is_library_norm(o) or self._helper(o) is not None for o in origins)

    def norm_factors(self, core: ast.expr) -> list[ast.expr]:
        """Return the norms whose product a denominator is, or the denominator alone."""
        parts = self.origins(core)[-1]
        factors: list[ast.expr] = []
        if isinstance(parts, ast.BinOp) and isinstance(parts.op, ast.Mult):
            factors = [parts.left, parts.right]
        elif isinstance(parts, ast.Call) and name_of(parts) in ("outer", "ger"):
            factors = parts.args[-2:]
        return factors if len(factors) == 2 and all(map(self.is_computed_norm, factors)) else [core]

    def is_of_measured(self, division: ast.BinOp, factors: list[ast.expr]) -> bool:
        """Return whether a numerator consists of what each of the norms below it measures."""
        names = (n for n in walk(division.left) if isinstance(n, (ast.Name, ast.Attribute)))
        found = (part for name in names for o in self.origins(name) for part in walk(o))
        above = {text_of(part) for part in found if isinstance(part, ast.expr)}
        return all(not above.isdisjoint(map(text_of, self.measures(f))) for f in factors)

    def is_norm_of_rows_given(self, core: ast.expr) -> bool:
        """Return whether a denominator holds the norm of each row of what a caller passes."""
        norms = [o for o in self.origins(core) if is_library_norm(o) or self._helper(o) is not None]
        if not any(is_row_norm(o) or self._helper(o) for o in norms):
            return False
        measured = [subject for subject in map(self._measured, norms) if subject is not None]
        return bool(measured) and all(self._is_argument(subject) for subject in measured)

    def is_ratio(self, division: ast.BinOp, core: ast.expr, epsilon: ast.expr | None) -> bool:
        """Return whether a quotient compares magnitudes that training changes.

        A value that only its name makes a norm may be a hyperparameter, unless an epsilon shows that
        it comes near zero, or another norm is divided by it.
        """
        measured = self.measures(core)
        if any(map(is_constant_tensor, measured)) or any(map(is_weight, measured)):
            return False
        names = [names_in(m) for m in measured]
        numerators = [part for o in self.origins(division.left) for part in walk(o)]
        norms = [p for p in numerators if isinstance(p, ast.expr) and self.is_norm(p)]
        if is_error_of([m for norm in norms for m in self.measures(norm)], measured):
            return False
        above = {part.id for part in numerators if isinstance(part, ast.Name)}
        if any(len(parts) > 1 and parts <= above for parts in names):
            return False
        is_by_numpy = any(map(is_numpy_norm, self.origins(core)))
        is_shown = epsilon is not None or self.is_norm(division.left)
        return is_shown or (self.is_computed_norm(core) and not is_by_numpy)

    def measures(self, core: ast.expr) -> list[ast.expr]:
        """Return what a norm measures, through assignments."""
        measured = (self._measured(origin) for origin in self.origins(core))
        return [o for m in measured if m is not None for o in self.origins(m)]

    def is_count(self, core: ast.expr) -> bool:
        """Return whether a denominator is the number of parameters of a part of a model."""
        origins = self.origins(core)
        counted = any(map(is_parameter_count, origins)) and not LIMIT_NAME.search(name_of(core))
        return counted or is_named(origins, COUNT_NAME)

    def is_computed_count(self, core: ast.expr) -> bool:
        """Return whether a value is a number of parameters by the call that computes it."""
        return any(map(is_parameter_count, self.origins(core)))

    def is_guarded(self, core: ast.expr) -> bool:
        """Return whether a denominator, or the tensor it measures, is tested or clamped anywhere."""
        origins = self.origins(core)
        sources = [*origins, *self.measures(core)]
        if any(
            isinstance(o, (ast.IfExp, ast.BoolOp))
            or BOUNDING.search(name_of(o))
            or (isinstance(o, ast.Call) and name_of(o) in self._helpers.bounding)
            for o in sources
        ):
            return True
        texts = set(map(text_of, origins)) | self._subjects(core)
        return any(self._is_tested(node) for node in self._uses(texts))

    def is_bounded(self, division: ast.BinOp) -> bool:
        """Return whether a quotient, or a value computed from it, is clamped or compared."""
        return any(map(self._is_tested, self.uses(division)))

    def uses(self, division: ast.expr) -> list[ast.AST]:
        """Return a quotient, or another value, and every use of what is computed from it."""
        return [self.place(division), *self._uses(self._derived(division))]

    def above(self, node: ast.AST) -> ast.AST | None:
        """Return the node around one of the body."""
        return self._parents.get(node)

    def place(self, division: ast.expr) -> ast.AST:
        """Return the node that divides: the division, or the assignment or call that stands for it."""
        return self.places.get(division, division)

    def is_normalisation(self, division: ast.BinOp, core: ast.expr) -> bool:
        """Return whether the quotient scales the measured tensor itself, so that the result is bounded."""
        origins = self.origins(core)
        subjects = self._subjects(core)
        measured = {NORM_NAME.sub("", name_of(o)).rstrip("s") for o in origins} | subjects - {""}
        inside = {*walk(division if self.is_norm(division.left) else division.right)}
        for part in (part for use in self.uses(division) for part in walk(self._product(use))):
            if isinstance(part, ast.expr) and part not in inside:
                texts = {text_of(part), *map(text_of, self.origins(part))}
                if not subjects.isdisjoint(texts) or has_measured_name(part, measured):
                    return True
        return False

    def _measured(self, node: ast.expr) -> ast.expr | None:
        """Return what a norm or a helper of the file that returns one measures, else None."""
        if self._helper(node) is not None and isinstance(node, ast.Call) and node.args:
            return node.args[0]
        return norm_argument(node)

    def _subjects(self, core: ast.expr) -> set[str]:
        """Return the code of the tensors that a norm measures, by itself or through a helper."""
        origins = self.origins(core)
        by_helper = (
            o.args[0] for o in origins if isinstance(o, ast.Call) and self._helper(o) is not None
        )
        return measured_code(origins) | set(map(text_of, by_helper))

    def _helper(self, node: ast.expr) -> bool | None:
        """Return whether a helper returns the norms of rows, or None for anything else than a helper."""
        is_call = isinstance(node, ast.Call)
        return self._helpers.norms.get(name_of(node)) if is_call else None

    def _is_argument(self, node: ast.expr, depth: int = 0) -> bool:
        """Return whether a value is an argument of the function, at most converted or divided."""
        value = strip_conversions(node)
        if not isinstance(value, ast.Name) or value.id in ("self", "cls") or depth > 3:
            return False
        given = {
            p.arg for p in parameters(self.function.args) if not is_parameter_type(p.annotation)
        }
        divisions = {*self.divisions, *map(self.place, self.divisions)}
        sources = [v for v in self.values.get(value.id, ()) if v not in divisions]
        from_others = [v for v in sources if dotted(strip_conversions(v)) != value.id]
        if value.id in given and not from_others:
            return True
        return bool(from_others) and all(self._is_argument(v, depth + 1) for v in from_others)

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

    def _derived(self, division: ast.expr) -> set[str]:
        """Return the names computed from a quotient, through any number of assignments."""
        places = (division, self.place(division))
        found: set[str] = set()
        before = -1
        while before < len(found):
            before = len(found)
            for name, values in self.values.items():
                parts = (part for value in values for part in walk(value))
                if any(part in places or name_or_attribute(part) in found for part in parts):
                    found.add(name)
        return found

    def _product(self, node: ast.AST) -> ast.AST:
        """Return the largest arithmetic expression that contains a node."""
        while True:
            above = self._parents.get(node)
            is_step = isinstance(above, ARITHMETIC) or (
                isinstance(above, ast.Call) and name_of(above) in VALUE_PRESERVING | SCALING
            )
            if above is None or not is_step:
                return node
            node = above

    def _is_tested(self, node: ast.AST) -> bool:
        """Return whether a node is part of a test, a comparison or a bounding call."""
        while not isinstance(node, ast.stmt) and node in self._parents:
            above = self._parents[node]
            if is_about_kind(above, node):
                return False
            if isinstance(above, ast.Compare) and not is_none_test(above):
                return True
            if isinstance(above, (ast.If, ast.While, ast.IfExp, ast.Assert)) and node is above.test:
                return not (isinstance(node, ast.Compare) and is_none_test(node))
            if isinstance(above, ast.Call) and BOUNDING.search(name_of(above)):
                return True
            node = above
        return False
