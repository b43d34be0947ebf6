"""Handlers of definitions: functions, classes, imports, constants, fields, attributes of `self`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.facts.access_path import (
    CLASS,
    SELF,
    AccessPath,
    StepKind,
    container,
    defined_path,
    imported_path,
    instance,
)
from esper_audit.source.facts.annotation_text import annotation_text
from esper_audit.source.facts.extraction.builder import STAR, FactsBuilder
from esper_audit.source.facts.extraction.expression_paths import path_of, paths_of, unpacked
from esper_audit.source.facts.extraction.extract_expressions import (
    Context,
    Unread,
    block,
    call_use,
    literal,
    read_annotation,
    read_reference,
    start,
)
from esper_audit.source.facts.records import (
    Bound,
    Definition,
    DefinitionKind,
    Mention,
    Parameter,
    ParameterKind,
    ScopeFacts,
    ScopeKind,
    Use,
)
from esper_audit.source.syntax.enclosing import first_line, last_line
from esper_audit.source.syntax.names import Function, dotted, imported, parameters

GUARD = "TYPE_CHECKING"
IMPLICIT_CLASS_METHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
EXPORTS = "__all__"


def function(builder: FactsBuilder, node: Function, context: Context) -> Unread:
    """Note a function or method. Its body is read in a scope of its own."""
    in_class = builder.scopes[context.scope].kind is ScopeKind.CLASS
    name = builder.qualified(context.scope, node.name)
    scope = builder.open_scope(_scope(node, name, ScopeKind.FUNCTION, context))
    definition = Definition(
        name=name,
        kind=DefinitionKind.METHOD if in_class else DefinitionKind.FUNCTION,
        owner=context.scope,
        line=node.lineno,
        column=node.col_offset + 1,
        end_line=last_line(node),
        scope=scope,
        decorators=tuple(map(path_of, node.decorator_list)),
        parameters=tuple(_parameters(node.args)),
        annotation=annotation_text(node.returns),
        documented=_is_documented(node),
        stub=_is_stub(node.body),
    )
    builder.define(definition)
    builder.bind(context.scope, node.name, defined_path(name))
    _bind_parameters(builder, definition)
    if in_class:
        _bind_self(builder, node, definition)
    for parameter in parameters(node.args):
        read_annotation(builder, parameter.annotation, context)
    read_annotation(builder, node.returns, context)
    for decorator in node.decorator_list:
        yield from read_reference(builder, decorator, Use.DECORATOR, context)
    yield from (
        (d, context) for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None
    )
    yield from block(_without_docstring(node.body), Context(scope))


def class_(builder: FactsBuilder, node: ast.ClassDef, context: Context) -> Unread:
    """Note a class. What its body binds are its methods and fields."""
    name = builder.qualified(context.scope, node.name)
    scope = builder.open_scope(_scope(node, name, ScopeKind.CLASS, context))
    builder.define(
        Definition(
            name=name,
            kind=DefinitionKind.CLASS,
            owner=context.scope,
            line=node.lineno,
            column=node.col_offset + 1,
            end_line=last_line(node),
            scope=scope,
            decorators=tuple(map(path_of, node.decorator_list)),
            bases=tuple(path_of(base).before(StepKind.ELEMENT) for base in node.bases),
            keywords=tuple((k.arg, path_of(k.value)) for k in node.keywords if k.arg),
            documented=_is_documented(node),
            stub=_is_stub(node.body),
        )
    )
    builder.bind(context.scope, node.name, defined_path(name))
    for decorator in node.decorator_list:
        yield from read_reference(builder, decorator, Use.DECORATOR, context)
    for written in (*node.bases, *(k.value for k in node.keywords)):
        yield from read_reference(builder, written, Use.BASE, context)
    yield from block(_without_docstring(node.body), Context(scope))


def import_(builder: FactsBuilder, node: ast.Import | ast.ImportFrom, context: Context) -> Unread:
    """Note what an import binds. A star import is bound as `*`."""
    for alias, (name, target) in zip(node.names, imported(node), strict=True):
        builder.bind(context.scope, name, imported_path(target))
        if GUARD in context.meanings:
            builder.mark_type_checking(context.scope, name)
        path = imported_path(alias.name if isinstance(node, ast.Import) else target)
        if name != STAR:
            builder.add_mention(Mention(path, Use.IMPORT, context.scope, *start(alias)))
    return []


def assign(builder: FactsBuilder, node: ast.Assign, context: Context) -> Unread:
    """Note what `x = y = value` binds and defines."""
    values = paths_of(node.value, context.meanings)
    for target in node.targets:
        _store(builder, target, values, context)
        _define_value(builder, target, node.value, "", context)
    if any(dotted(target) == EXPORTS for target in node.targets):
        _read_exports(builder, node.value, context)
        return []
    return [(node.value, context), *((target, context) for target in node.targets)]


def annotated(builder: FactsBuilder, node: ast.AnnAssign, context: Context) -> Unread:
    """Note what `x: T = value` binds and defines. The annotation decides the type."""
    annotation = annotation_text(node.annotation)
    read_annotation(builder, node.annotation, context)
    values = [instance(annotation)]
    if annotation.rpartition(".")[2] in ("", "Final", "ClassVar", "TypeAlias") and node.value:
        values = paths_of(node.value, context.meanings)
    _store(builder, node.target, values, context)
    _define_value(builder, node.target, node.value, annotation, context)
    return [(node.target, context), *([(node.value, context)] if node.value is not None else [])]


def augmented(builder: FactsBuilder, node: ast.AugAssign, context: Context) -> Unread:
    """Note `x += value` as a write, not as a read."""
    if not isinstance(node.target, ast.Name):
        return [(node.value, context), (node.target, context)]
    builder.add_name(node.target.id, Use.WRITE, context.scope, start(node.target))
    builder.mark_augmented(context.scope, node.target.id)
    if node.target.id == EXPORTS:
        _read_exports(builder, node.value, context)
        return []
    return [(node.value, context)]


def expression(builder: FactsBuilder, node: ast.Expr, context: Context) -> Unread:
    """Read an expression whose value is not used."""
    if isinstance(node.value, ast.Call):
        if dotted(node.value.func) in (f"{EXPORTS}.extend", f"{EXPORTS}.append"):
            for argument in node.value.args:
                _read_exports(builder, argument, context)
            return []
        return call_use(builder, node.value, context, discarded=True)
    return [] if isinstance(node.value, ast.Constant) else [(node.value, context)]


def _scope(
    node: Function | ast.ClassDef, name: str, kind: ScopeKind, context: Context
) -> ScopeFacts:
    return ScopeFacts(name, kind, context.scope, first_line(node), last_line(node), {})


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    for parameter, default in zip(plain, [*defaults, *arguments.defaults], strict=True):
        is_first = parameter in arguments.posonlyargs
        kind = ParameterKind.POSITIONAL_ONLY if is_first else ParameterKind.PLAIN
        yield _parameter(parameter, kind, default)
    if arguments.vararg is not None:
        yield _parameter(arguments.vararg, ParameterKind.ARGS, None)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(parameter, ParameterKind.KEYWORD_ONLY, default)
    if arguments.kwarg is not None:
        yield _parameter(arguments.kwarg, ParameterKind.KWARGS, None)


def _parameter(parameter: ast.arg, kind: ParameterKind, default: ast.expr | None) -> Parameter:
    many = kind in (ParameterKind.ARGS, ParameterKind.KWARGS)
    written = literal(default) or dotted(default) or "..." if default is not None else ""
    annotation = annotation_text(parameter.annotation)
    return Parameter(parameter.arg, kind, default is None and not many, written, annotation)


def _bind_parameters(builder: FactsBuilder, definition: Definition) -> None:
    for parameter in definition.parameters:
        value = instance(parameter.annotation)
        if parameter.kind in (ParameterKind.ARGS, ParameterKind.KWARGS):
            value = container(value)
        builder.bind(definition.scope, parameter.name, value)


def _bind_self(builder: FactsBuilder, node: Function, definition: Definition) -> None:
    """Bind the first parameter of a method to the object, or to the class."""
    positional = [*node.args.posonlyargs, *node.args.args]
    if not positional or definition.has_decorator("staticmethod"):
        return
    is_implicit = node.name in IMPLICIT_CLASS_METHODS
    of_class = is_implicit or definition.has_decorator("classmethod")
    first = positional[0].arg
    builder.scopes[definition.scope].bindings[first] = (CLASS if of_class else SELF,)
    builder.bind_self(definition.scope, first, definition.owner)


def _store(
    builder: FactsBuilder, target: ast.expr, values: Sequence[AccessPath], context: Context
) -> None:
    """Bind what a target names to its values."""
    if isinstance(target, ast.Attribute):
        if isinstance(target.value, ast.Name):
            column = (target.end_col_offset or 0) - len(target.attr.encode()) + 1
            for written in values:
                bound = Bound(written, context.scope, target.lineno, column)
                builder.set_attribute(context.scope, target.value.id, target.attr, bound)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for position, part in enumerate(target.elts):
            _store(builder, part, [value.element(position) for value in values], context)
    else:
        for written in values:
            for name, bound_to in unpacked(target, written):
                builder.bind(context.scope, name, bound_to)


def _define_value(
    builder: FactsBuilder,
    target: ast.expr,
    value: ast.expr | None,
    annotation: str,
    context: Context,
) -> None:
    """Note the constant of a module or the field of a class that an assignment defines."""
    kind = builder.scopes[context.scope].kind
    if kind is ScopeKind.FUNCTION or not isinstance(target, ast.Name):
        return
    builder.define(
        Definition(
            name=builder.qualified(context.scope, target.id),
            kind=DefinitionKind.FIELD if kind is ScopeKind.CLASS else DefinitionKind.CONSTANT,
            owner=context.scope,
            line=target.lineno,
            column=target.col_offset + 1,
            end_line=(value or target).end_lineno or target.lineno,
            annotation=annotation,
            returned=tuple(paths_of(value)) if value is not None else (),
            has_default=value is not None,
            literal=literal(value),
        )
    )


def _read_exports(builder: FactsBuilder, value: ast.expr, context: Context) -> None:
    """Note the names in `__all__`."""
    if context.scope == 0:
        constants = (node for node in ast.walk(value) if isinstance(node, ast.Constant))
        words = {c.value: c.lineno for c in constants if isinstance(c.value, str)}
        builder.exports = {**(builder.exports or {}), **words}


def _is_documented(node: Function | ast.ClassDef) -> bool:
    return len(_without_docstring(node.body)) < len(node.body)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return body
    return body[1:] if isinstance(first.value.value, str) else body


def _is_stub(body: list[ast.stmt]) -> bool:
    return all(map(_is_stub_statement, _without_docstring(body)))


def _is_stub_statement(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return raised is not None and dotted(raised).startswith("NotImplemented")
    is_ellipsis = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_ellipsis or isinstance(statement, ast.Pass)
