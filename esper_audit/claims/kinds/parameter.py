"""Answers the claim `parameter`: a function uses its parameter, or gives it a default."""

from __future__ import annotations

import ast

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.records import ParameterClaim, ParameterUsage
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.claims.symbol_lookup import LocatedSymbol, find_symbol
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import defaults, parameters

Function = ast.FunctionDef | ast.AsyncFunctionDef
SHOWN = 3
WHOLE_SCOPE = frozenset({"locals", "vars"})


def needs(claim: ParameterClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the function is in the tree."""
    return ()


def answer(claim: ParameterClaim, context: ClaimContext) -> Reply:
    """Look up the parameter in the signature, then its default or the reads of it in the body."""
    symbol = find_symbol(claim.of, context)
    if isinstance(symbol, Reply):
        return symbol
    function = _function(symbol)
    if isinstance(function, ast.ClassDef):
        return _field(claim, symbol, function)
    if function is None:
        return stale(f"{claim.of} is no function", symbol.place)
    place = f"{symbol.source.path}:{function.lineno}"
    if claim.argument not in {one.arg for one in parameters(function.args)}:
        return stale(f"{claim.of} has no parameter {claim.argument}", place)
    if claim.usage is None:
        return _default(claim, defaults(function.args).get(claim.argument), place)
    return _usage(claim, function, symbol)


def _function(symbol: LocatedSymbol) -> Function | ast.ClassDef | None:
    """Return the function of a symbol, of a class its `__init__`, or the class if it defines none."""
    statement = symbol.statement
    if isinstance(statement, Function):
        return statement
    if not isinstance(statement, ast.ClassDef):
        return None
    for one in statement.body:
        if isinstance(one, Function) and one.name == "__init__":
            return one
    return statement


def _field(claim: ParameterClaim, symbol: LocatedSymbol, owner: ast.ClassDef) -> Reply:
    """Answer for a class without `__init__`: its fields are its parameters."""
    fields = {
        one.target.id: one
        for one in owner.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }
    field = fields.get(claim.argument)
    if field is None or claim.usage is not None:
        reason = f"{claim.of} defines no __init__ that takes {claim.argument}"
        return cannot_tell(reason, symbol.place)
    return _default(claim, field.value, f"{symbol.source.path}:{field.lineno}")


def _default(claim: ParameterClaim, value: ast.expr | None, place: str) -> Reply:
    if value is None:
        return refuted(f"{claim.argument} of {claim.of} has no default", place)
    sentence = f"{claim.argument} of {claim.of} defaults to {ast.unparse(value)}"
    expected = ast.parse(claim.default, mode="eval").body
    return (holds if ast.dump(value) == ast.dump(expected) else refuted)(sentence, place)


def _usage(claim: ParameterClaim, function: Function, symbol: LocatedSymbol) -> Reply:
    reads, scopes = [], []
    for node in (node for statement in function.body for node in walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            reads += [node.lineno] if node.id == claim.argument else []
            scopes += [node.lineno] if node.id in WHOLE_SCOPE else []
    path = symbol.source.path
    if not reads and scopes:
        return cannot_tell(f"{claim.of} reads its whole scope", f"{path}:{scopes[0]}")
    if reads:
        sentence = f"{claim.of} reads its parameter {claim.argument}"
        places = [f"{path}:{line}" for line in sorted(set(reads))[:SHOWN]]
    else:
        sentence = f"{claim.of} never reads its parameter {claim.argument}"
        places = [f"{path}:{function.lineno}"]
    is_true = bool(reads) == (claim.usage is ParameterUsage.USED)
    return (holds if is_true else refuted)(sentence, *places)
