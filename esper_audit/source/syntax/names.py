"""Name resolution inside one module: imports, aliases and local bindings, read on demand from its `ast`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import DEFINITIONS, blocks

Function = ast.FunctionDef | ast.AsyncFunctionDef
BUILTINS = frozenset(dir(builtins))
LONGEST_ALIAS_CHAIN = 5
BINDING_NOTHING = frozenset(
    {ast.Expr, ast.Return, ast.If, ast.While, ast.Pass, ast.Raise, ast.Assert, ast.Delete}
    | {ast.Break, ast.Continue, ast.Global, ast.Nonlocal}
)


class Binding(NamedTuple):
    """What a scope binds a name to: a dotted target (empty when unknown), by import or by assignment."""

    target: str
    is_import: bool


NOT_KNOWN = Binding("", is_import=False)


class NameScope:
    """The names that one function, or the module itself, binds."""

    def __init__(self) -> None:
        self.bound: dict[str, Binding] = {}
        self.stars: list[str] = []

    def bind(self, name: str, binding: Binding) -> None:
        """Add a binding. An import takes precedence over another binding of the name (usually a fallback)."""
        known = self.bound.get(name)
        if known is None or (binding.is_import and not known.is_import):
            self.bound[name] = binding
        elif known != binding and not known.is_import:
            self.bound[name] = NOT_KNOWN


class Names:
    """The scopes of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._module: NameScope | None = None
        self._functions: dict[Function, NameScope] = {}

    def resolve(self, name: str, functions: Sequence[Function] = ()) -> str | None:
        """Return the full dotted name that `name` refers to inside the enclosing `functions`.

        `F.relu` gives `torch.nn.functional.relu` after `import torch.nn.functional as F`; a builtin
        gives `builtins.hasattr`; a local variable, a parameter or an unknown name gives None. A name
        imported relatively keeps its leading dots.
        """
        for _ in range(LONGEST_ALIAS_CHAIN):
            head, dot, rest = name.partition(".")
            binding = self._lookup(head, functions)
            if binding is None:
                return self._unbound(name, head)
            if not binding.target:
                return None
            name = binding.target + dot + rest
            if binding.is_import or binding.target == head:
                return name
        return None

    def is_free(self, name: str, functions: Sequence[Function] = ()) -> bool:
        """Return whether neither the module nor the enclosing functions bind the head of a name."""
        return self._lookup(name.partition(".")[0], functions) is None

    @property
    def module(self) -> NameScope:
        """The module's own scope."""
        if self._module is None:
            self._module = NameScope()
            read_block(self._module, self._tree.body)
        return self._module

    def function(self, function: Function) -> NameScope:
        """Return the scope of a function: its parameters and what its body binds."""
        if function not in self._functions:
            scope = NameScope()
            for parameter in parameters(function.args):
                scope.bind(parameter.arg, NOT_KNOWN)
            read_block(scope, function.body)
            self._functions[function] = scope
        return self._functions[function]

    def _lookup(self, head: str, functions: Sequence[Function]) -> Binding | None:
        for function in reversed(functions):
            binding = self.function(function).bound.get(head)
            if binding is not None:
                return binding
        return self.module.bound.get(head)

    def _unbound(self, name: str, head: str) -> str | None:
        if head in BUILTINS:
            return f"builtins.{name}"
        torch_stars = [star for star in self.module.stars if star.split(".")[0] == "torch"]
        return f"{torch_stars[0]}.{name}" if len(torch_stars) == 1 else None


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of attributes that starts at a name, else an empty string."""
    if node.__class__ is ast.Name:
        return node.id
    parts: list[str] = []
    while node.__class__ is ast.Attribute:
        parts.append(node.attr)
        node = node.value
    if not parts or node.__class__ is not ast.Name:
        return ""
    parts.append(node.id)
    parts.reverse()
    return ".".join(parts)


def identifiers(node: ast.AST) -> tuple[str, ...]:
    """Return the identifiers of a node itself, without the imported names of an import."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, (ast.arg, ast.keyword)):
        return (node.arg,) if node.arg is not None else ()
    if isinstance(node, (ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return (node.name,) if node.name is not None else ()
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return tuple(node.names)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return tuple(alias.asname for alias in node.names if alias.asname is not None)
    return ()


def arguments_of(call: ast.Call) -> list[ast.expr | ast.keyword]:
    """Return the arguments of a call in the order in which they are written."""
    if not call.keywords:
        return list(call.args)
    arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    return sorted(arguments, key=lambda argument: (argument.lineno, argument.col_offset))


def terminal_name(node: ast.expr) -> str:
    """Return the last part of a called name: `c` for `a.b.c(...)`, empty for anything else."""
    if node.__class__ is ast.Attribute:
        return node.attr
    return node.id if node.__class__ is ast.Name else ""


def text_of(node: ast.AST) -> str:
    """Return `ast.unparse(node)`, without its machinery for a name or a dotted name."""
    return dotted(node) or ast.unparse(node)


def is_constant(node: ast.AST | None, value: object) -> bool:
    """Return whether a node is the constant True, False or None, or this small number."""
    return isinstance(node, ast.Constant) and node.value is value


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """Return every parameter, `*args` and `**kwargs` included."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if arguments.vararg is not None:
        found.append(arguments.vararg)
    if arguments.kwarg is not None:
        found.append(arguments.kwarg)
    return found


def defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    """Return the default of each parameter that has one."""
    if not arguments.defaults and not arguments.kw_defaults:
        return {}
    plain = [*arguments.posonlyargs, *arguments.args]
    table = dict(zip([a.arg for a in reversed(plain)], reversed(arguments.defaults), strict=False))
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return table | {a.arg: default for a, default in keywords if default is not None}


def imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield (bound name, dotted target) of an import. A star import is bound as `*`."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            joint = "" if module.endswith(".") else "."
            target = module if alias.name == "*" else f"{module}{joint}{alias.name}"
            yield alias.asname or alias.name, target
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            head = alias.name.split(".")[0]
            yield head, head


def read_block(scope: NameScope, block: Sequence[ast.stmt]) -> None:
    """Bind in `scope` what the statements bind, without entering nested functions and classes."""
    pending = list(reversed(block))
    while pending:
        statement = pending.pop()
        if statement.__class__ not in BINDING_NOTHING:
            _bind_statement(scope, statement)
        if statement.__class__ not in DEFINITIONS:
            for nested in blocks(statement):
                pending.extend(reversed(nested))


def _bind_statement(scope: NameScope, statement: ast.stmt) -> None:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        for name, target in imported(statement):
            if name == "*":
                scope.stars.append(target)
            else:
                scope.bind(name, Binding(target, is_import=True))
        return
    aliased = dotted(statement.value) if isinstance(statement, ast.Assign) else ""
    for node in _targets(statement):
        if isinstance(node, ast.Name):
            scope.bind(node.id, Binding(aliased, is_import=False))
        else:
            _bind_unknown(scope, node)
    for name in _names_bound(statement):
        scope.bind(name, NOT_KNOWN)


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """Return what a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        return [statement.target]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return [item.optional_vars for item in statement.items if item.optional_vars is not None]
    return []


def _names_bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds without an expression to assign to."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Try, ast.TryStar)):
        return [handler.name for handler in statement.handlers if handler.name is not None]
    return list(_captured(statement)) if isinstance(statement, ast.Match) else []


def _captured(statement: ast.Match) -> Iterator[str]:
    """Yield the names that the patterns of a `match` bind."""
    for case in statement.cases:
        for node in ast.walk(case.pattern):
            if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name is not None:
                yield node.name
            elif isinstance(node, ast.MatchMapping) and node.rest is not None:
                yield node.rest


def _bind_unknown(scope: NameScope, target: ast.expr) -> None:
    if target.__class__ is ast.Attribute and target.value.__class__ is ast.Name:
        return
    for node in scan(target, {ast.Name}):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            scope.bind(node.id, NOT_KNOWN)
