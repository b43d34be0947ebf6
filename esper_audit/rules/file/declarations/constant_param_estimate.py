"""The rule `constant-param-estimate`: a constant for a parameter count that depends on a size."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.declarations import constant_param_estimate_cases as cases
from esper_audit.rules.rule import (
    AnyOptions,
    Options,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.numerics.layer_sizes import Factory, Sizing, sizings
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

REGISTRATION = re.compile(r"regist|spec|blueprint|entry|catalog", re.IGNORECASE)
CONSTANT = "{} is constant, but `{}` determines the size of `{}`"


class ParamEstimateOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keywords`: names of arguments and class attributes that hold an estimate."""

    keywords: frozenset[str] = frozenset(
        {"param_estimate", "params_estimate", "param_count", "parameter_count", "num_params"}
        | {"n_params", "num_parameters", "estimated_params", "num_params_estimate"}
    )


class ConstantParamEstimate(Rule):
    """A parameter count that depends on a size is declared as a constant.

    What: a literal estimate, registered by a decorator, by a call that names the factory or as a
    class attribute, for a factory with an argument that determines the size of a layer: directly,
    by assignments, by attributes of `self` or through classes and functions of the same module.

    Why: SE attention with a declared count of 2,000 parameters has 131,584 at 512 channels, 65 times
    as many. Code that sorts, charges or rewards by the estimate favours the most expensive
    blueprint more, the wider the host is.

    Quiet: a function of the size, a computed estimate; a factory without parameters or with a size
    that reaches no layer (noop); sizes that no argument determines; layers of other modules, whose
    size is not visible; calls that register nothing.

    Tickets: B3-DRL-02, B3-DRL-01, B3-DRL-03
    """

    contract = "param-estimate"
    category = Category.API_CONTRACT
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    precision = "no finding in 40 packages: the precision is not known"
    triggers = Triggers(
        nodes=frozenset({"Call", "Assign", "AnnAssign"}), words=ParamEstimateOptions().keywords
    )
    Options = ParamEstimateOptions
    options: ParamEstimateOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        super().__init__(options, severity)
        self.triggers = msgspec.structs.replace(self.triggers, words=self.options.keywords)

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls and assignments that set an estimate by one of its names."""
        return [node for node in nodes if self._has_estimate(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report literal estimates of counts that depend on an argument."""
        if not self._has_estimate(node):
            return
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in self.options.keywords and _is_number(keyword.value, file):
                    yield from _violations(keyword, _factories(node, file), file)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            is_literal = node.value is not None and _is_number(node.value, file)
            yield from _violations(node, _owner(node, file), file) if is_literal else ()

    def _has_estimate(self, node: ast.AST) -> bool:
        """Return whether a node passes or assigns a value by one of the names of an estimate."""
        names = self.options.keywords
        if isinstance(node, ast.Call):
            return any(keyword.arg in names for keyword in node.keywords)
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            return isinstance(target, ast.Name) and target.id in names
        return False


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return statement.decorator_list if isinstance(statement, kinds) else []


def _violations(
    node: ast.keyword | ast.Assign | ast.AnnAssign, factories: Sequence[Factory], file: FileView
) -> Iterator[Violation]:
    known = file.once(_definitions)
    for factory in factories:
        sizing: Sizing | None = next(sizings(factory, known, file.source.names), None)
        if sizing is not None:
            yield Violation(node, CONSTANT.format(file.code(node), *sizing))
            return


def _factories(call: ast.Call, file: FileView) -> list[Factory]:
    """Return the factories that a call registers: the decorated one or those it names."""
    known = file.once(_definitions)
    statement = file.enclosing(call)[-1]
    if call in _decorators(statement):
        if isinstance(statement, ast.ClassDef):
            return [known[statement.name]]
        return [statement] if isinstance(statement, Function) else []
    if not REGISTRATION.search(ast.unparse(call.func)):
        return []
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    named = [known[v.id] for v in values if isinstance(v, ast.Name) and v.id in known]
    return [*named, *(value for value in values if isinstance(value, ast.Lambda))]


def _owner(node: ast.stmt, file: FileView) -> list[Factory]:
    """Return the class whose attribute an assignment sets, in a list, or no class."""
    scope = next(reversed(file.definitions(node)), None)
    return [file.once(_definitions)[scope.name]] if isinstance(scope, ast.ClassDef) else []


def _definitions(file: FileView) -> dict[str, Factory]:
    """Return the functions and classes of a file by name, nested ones too."""
    nodes: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = [
        *file.nodes(ast.FunctionDef),
        *file.nodes(ast.AsyncFunctionDef),
        *file.nodes(ast.ClassDef),
    ]
    return {node.name: node for node in sorted(nodes, key=lambda node: node.lineno)}


def _constants(file: FileView) -> frozenset[str]:
    """Return the names to which the module itself assigns a literal."""
    return frozenset(
        target.id
        for statement in file.tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    )


def _is_number(value: ast.expr, file: FileView) -> bool:
    """Return whether an expression consists of numbers and constants of the module."""
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)
    return all(
        isinstance(part, kinds) or (isinstance(part, ast.Name) and part.id in file.once(_constants))
        for part in ast.walk(value)
    ) and not (isinstance(value, ast.Constant) and type(value.value) not in (int, float))
