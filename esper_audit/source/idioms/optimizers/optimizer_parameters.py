"""Parameters that an optimizer is given, by the modules that they belong to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.training.training_events import TrainingEvent
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import terminal_name, text_of

PARAMETER_METHODS = frozenset({"parameters", "named_parameters"})
DEEPEST = 4


def optimizer_of(event: TrainingEvent) -> ast.expr | None:
    """Return the expression of the optimizer that an event steps."""
    call = event.node
    if not isinstance(call, ast.Call):
        return None
    if event.is_scaled:
        return call.args[0] if call.args else None
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def optimized_modules(optimizer: ast.expr, origins: Constructors) -> frozenset[str]:
    """Return the texts of the modules whose parameters an optimizer was given, as far as is known."""
    return frozenset(
        name
        for made in origins.values(optimizer)
        if isinstance(made, ast.Call)
        for argument in [*made.args, *(k.value for k in made.keywords)]
        for name in modules_given(argument, origins)
    )


def given_parameters(optimizer: ast.Call) -> ast.expr | None:
    """Return the argument of an optimizer that holds its parameters."""
    named = next((k.value for k in optimizer.keywords if k.arg == "params"), None)
    return named if named is not None else next(iter(optimizer.args), None)


def modules_given(argument: ast.expr, origins: Constructors) -> Iterator[str]:
    """Yield the texts of the modules whose parameters an expression contains, through local names."""
    return map(text_of, module_expressions(argument, origins))


def module_expressions(
    argument: ast.expr, origins: Constructors, depth: int = 0
) -> Iterator[ast.expr]:
    """Yield the modules whose parameters an expression contains, where their parameters are read."""
    for node in scan(argument, {ast.Call, ast.Name}):
        if isinstance(node, ast.Call):
            if terminal_name(node.func) in PARAMETER_METHODS and isinstance(
                node.func, ast.Attribute
            ):
                yield node.func.value
        elif isinstance(node, ast.Name) and depth < DEEPEST:
            for value in origins.values(node):
                yield from module_expressions(value, origins, depth + 1)
