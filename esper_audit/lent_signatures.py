"""Functions that take what something else takes: stand-ins, defaults for subclasses, second definitions."""

from __future__ import annotations

import ast
import re

from esper_audit.ast_walk import walk
from esper_audit.facts import DefinitionKind
from esper_audit.names import Function
from esper_audit.reference import Symbol
from esper_audit.signatures import CONSTRUCTOR
from esper_audit.tree import Tree
from esper_audit.written import path, terminal

STAND_IN = re.compile(r"mock|fake|dummy|stub|no_?op(_|$)", re.IGNORECASE)
FUNCTIONAL = ("F", "functional")
CHECK = re.compile(r"^_?(check|validate|verify)_")
# What `timm` asks of every model, by name.
CONVENTIONS = frozenset(
    {"forward_intermediates", "get_intermediate_layers", "group_matcher", "reset_classifier"}
    | {"set_grad_checkpointing"}
)
EVERYTHING = 3  # that many unread parameters of a check: it is given what its caller has
OVERRIDDEN = re.compile(r"\b(to|can|may|should|must|be) override?|subclasses (can|may|should|must)")
BASE = re.compile(r"^_?(Base|Abstract)(?=[A-Z])|Base$")


def is_defined_again(tree: Tree, function: Symbol) -> bool:
    """Say whether the block around, or the other way of an `if`, gives a function's name another value."""
    source, node = tree.source(function.path), tree.function(function)
    if source is None or node is None or function.kind is not DefinitionKind.FUNCTION:
        return False
    return any(_gives_name(part, node) for part in walk(source.tree) if part is not node)


def _gives_name(part: ast.AST, function: Function) -> bool:
    """Say whether a statement, as deep as a function stands, defines or assigns its name."""
    if isinstance(part, Function):
        return part.name == function.name and part.col_offset == function.col_offset
    targets = part.targets if isinstance(part, ast.Assign) else []
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    is_alike = isinstance(part, ast.Assign) and part.col_offset == function.col_offset
    return is_alike and function.name in names


def stands_in(tree: Tree, function: Symbol) -> bool:
    """Say whether a function takes what another one does: a mock, or `conv2d_same` for `F.conv2d`."""
    if STAND_IN.search(function.symbol):
        return True
    node = tree.function(function)
    called = [path(part.func) for part in walk(node) if isinstance(part, ast.Call)] if node else []
    return any(
        terminal(name.rpartition(".")[0]) in FUNCTIONAL
        and (function.short.startswith(terminal(name)) or function.short.endswith(terminal(name)))
        for name in called
    )


def is_given_everything(function: Symbol, unread: int) -> bool:
    """Say whether a function checks some of the arguments of its caller, and is given all of them."""
    return CHECK.search(function.short) is not None and unread >= EVERYTHING


def is_for_subclasses(tree: Tree, function: Symbol, owner: Symbol | None) -> bool:
    """Say whether a method's parameters are told by others: it is asked for by name, or to be overridden."""
    if owner is None or function.short == CONSTRUCTOR:
        return False
    if function.short in CONVENTIONS or _hands_back(tree, function):
        return True
    if OVERRIDDEN.search(tree.text(function)):
        return True
    if BASE.search(owner.short) and not tree.index.resolver.kin.subclasses(owner.key):
        return True
    node = tree.function(function)
    body = node.body if node is not None else []
    is_answer = (
        len(body) > 0 and isinstance(body[-1], ast.Return) and all(map(_is_trivial, body[:-1]))
    )
    read = any(p.read for p in tree.index.definition(function).parameters[1:])
    return is_answer and not read and not function.short.startswith("_")


def does_nothing(tree: Tree, function: Symbol) -> bool:
    """Say whether a body only declares, refuses or answers with a constant."""
    node = tree.function(function)
    body = node.body if node is not None else []
    return all(map(_is_trivial, body))


def _hands_back(tree: Tree, method: Symbol) -> bool:
    """Say whether a method returns what it is given as it is: a step that subclasses may fill."""
    node = tree.function(method)
    told = [part for part in node.body if not _is_trivial(part)] if node is not None else []
    last = told[0].value if len(told) == 1 and isinstance(told[0], ast.Return) else None
    return isinstance(last, ast.Name) and last.id in {
        p.name for p in tree.index.definition(method).parameters
    }


def _is_trivial(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Expr, ast.Return)):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, (ast.Pass, ast.Raise))
