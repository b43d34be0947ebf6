"""The rule `constant-param-estimate`: one number for a parameter count that grows with a size."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.declarations import constant_param_estimate_cases as cases
from esper_audit.rules.rule import (
    AnyOptions,
    CstRule,
    Options,
    Reach,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.numerics.layer_sizes import Factory, Sizing, definitions, sizings
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View

REGISTERS = re.compile(r"regist|spec|blueprint|entry|catalog", re.IGNORECASE)
NUMBERS = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Name)
SAYS = "{} stays the same for every `{}`, which sizes `{}`"


class ParamEstimateOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an estimate is called.

    `keywords`: names of arguments and class attributes.
    """

    keywords: frozenset[str] = frozenset(
        {"param_estimate", "params_estimate", "param_count", "parameter_count", "num_params"}
        | {"n_params", "num_parameters", "estimated_params", "num_params_estimate"}
    )


class ConstantParamEstimate(CstRule):
    """A parameter count that grows with a size is declared as one number.

    What: a literal estimate, registered by a decorator, in a call that names the factory or as a
    class attribute, for a factory one of whose arguments reaches the size of a layer: directly, by
    assignments, by attributes of `self` or through classes and functions of the same module.

    Why: SE attention declared at 2,000 parameters has 131,584 at 512 channels, 65 times as many.
    Whatever sorts, charges or rewards by the estimate favours the dearest blueprint the more, the
    wider the host is.

    Quiet: a function of the size, an estimate that is computed; a factory without parameters or
    whose size reaches no layer (noop); sizes that no argument decides; layers of other modules,
    whose size cannot be seen; calls that register nothing.

    Tickets: B3-DRL-02, B3-DRL-01, B3-DRL-03
    """

    contract = "param-estimate"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = "it says nothing of 40 real packages: how often it is right there is not known"
    triggers = Triggers(
        nodes=frozenset({"Call", "Assign", "AnnAssign"}), words=ParamEstimateOptions().keywords
    )
    reach = Reach.CLASS
    Options = ParamEstimateOptions
    options: ParamEstimateOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        super().__init__(options, severity)
        self.triggers = msgspec.structs.replace(self.triggers, words=self.options.keywords)

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep calls and assignments that give an estimate by one of its names."""
        if isinstance(node, ast.Call):
            given = [k.value for k in node.keywords if k.arg in self.options.keywords]
            is_decorator = bool(enclosing) and node in _decorators(enclosing[-1])
            registers = is_decorator or bool(REGISTERS.search(ast.unparse(node.func)))
            return registers and any(isinstance(value, NUMBERS) for value in given)
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
            named = any(isinstance(t, ast.Name) and t.id in self.options.keywords for t in targets)
            return named and isinstance(scopes[-1] if scopes else None, ast.ClassDef)
        return False

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report literal estimates of what grows with an argument."""
        if isinstance(node, cst.Call):
            for argument in node.args:
                keyword = argument.keyword.value if argument.keyword is not None else ""
                if keyword in self.options.keywords and _is_number(argument.value, view):
                    yield from _complaint(argument, _factories(node, view), view)
        elif isinstance(node, (cst.Assign, cst.AnnAssign)):
            target = node.target if isinstance(node, cst.AnnAssign) else node.targets[0].target
            is_estimate = view.code(target) in self.options.keywords
            if is_estimate and node.value is not None and _is_number(node.value, view):
                yield from _complaint(node, _owner(node, view), view)


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return statement.decorator_list if isinstance(statement, kinds) else []


def _complaint(
    node: cst.Arg | cst.Assign | cst.AnnAssign, factories: Sequence[Factory], view: View
) -> Iterator[Violation]:
    known = definitions(view.source.tree)
    for factory in factories:
        sizing: Sizing | None = next(sizings(factory, known, view.source.names), None)
        if sizing is not None:
            code = view.code(node).rstrip(", \n")
            yield Violation(node, SAYS.format(code, *sizing))
            return


def _factories(call: cst.Call, view: View) -> list[Factory]:
    """Return what a registering call registers: what it decorates, or the factories it names."""
    known = definitions(view.source.tree)
    above = view.parent(call)
    if isinstance(above, cst.Decorator):
        decorated = view.parent(above)
        if isinstance(decorated, cst.FunctionDef):
            return [view.functions(call)[-1]]
        return [known[decorated.name.value]] if isinstance(decorated, cst.ClassDef) else []
    parsed = ast.parse(view.code(call), mode="eval").body
    if not isinstance(parsed, ast.Call) or not REGISTERS.search(ast.unparse(parsed.func)):
        return []
    values = [*parsed.args, *(keyword.value for keyword in parsed.keywords)]
    named = [known[v.id] for v in values if isinstance(v, ast.Name) and v.id in known]
    return [*named, *(value for value in values if isinstance(value, ast.Lambda))]


def _owner(node: cst.CSTNode, view: View) -> list[Factory]:
    """Return the class whose attribute an assignment makes."""
    kinds = (cst.ClassDef, cst.FunctionDef)
    scope = next((above for above in view.ancestors(node) if isinstance(above, kinds)), None)
    known = definitions(view.source.tree)
    return [known[scope.name.value]] if isinstance(scope, cst.ClassDef) else []


def _is_number(value: cst.CSTNode, view: View) -> bool:
    """Return whether an expression is made of numbers, or of constants of the module that are."""
    parsed = ast.parse(view.code(value).strip(), mode="eval").body
    constants = {
        target.id
        for statement in view.source.tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)
    return all(
        isinstance(part, kinds) or (isinstance(part, ast.Name) and part.id in constants)
        for part in ast.walk(parsed)
    ) and not (isinstance(parsed, ast.Constant) and type(parsed.value) not in (int, float))
