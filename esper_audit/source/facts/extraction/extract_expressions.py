"""Handlers of expressions: each adds what its node mentions, and returns what is still to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from esper_audit.source.facts.access_path import UNKNOWN
from esper_audit.source.facts.annotation_text import parsed_annotation
from esper_audit.source.facts.extraction.builder import FactsBuilder, Position
from esper_audit.source.facts.extraction.expression_paths import (
    NO_MEANINGS,
    Comprehension,
    Meanings,
    comprehension_meanings,
    loop_bindings,
    path_of,
    paths_of,
)
from esper_audit.source.facts.extraction.narrowing import after, when_false, when_true
from esper_audit.source.facts.records import Bound, CallArguments, Mention, Use
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.names import dotted, parameters

BY_STRING = {"getattr": Use.READ, "hasattr": Use.READ, "setattr": Use.WRITE, "delattr": Use.DELETE}
REGISTERS = (".register_buffer", ".register_parameter", ".register_module", ".add_module")
LONGEST_LITERAL = 40
USE_OF_CONTEXT: dict[type[ast.expr_context], Use] = {
    ast.Load: Use.READ,
    ast.Store: Use.WRITE,
    ast.Del: Use.DELETE,
}


class Context(NamedTuple):
    """The scope, the meanings of names, and the names that only an expression binds."""

    scope: int = 0
    meanings: Meanings = NO_MEANINGS
    inner: frozenset[str] = frozenset()


Work = tuple[ast.AST, Context]
Unread = Iterable[Work]


def block(statements: Sequence[ast.stmt], context: Context) -> Iterator[Work]:
    """Yield the statements of a block, each with the meanings that those above it establish."""
    for statement in statements:
        yield statement, context
        meanings = after(statement, context.meanings)
        if meanings is not context.meanings:
            context = context._replace(meanings=meanings)


def read_annotation(builder: FactsBuilder, node: ast.expr | None, context: Context) -> None:
    """Note the names in an annotation, those in quotes too."""
    pending: list[tuple[ast.AST, Position | None]] = [(node, None)] if node is not None else []
    while pending:
        part, quoted_at = pending.pop()
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            inner = parsed_annotation(part.value)
            if inner is not None:
                pending.append((inner, Position(part.lineno, part.col_offset + 1)))
        elif isinstance(part, ast.Name):
            builder.add_name(part.id, Use.ANNOTATION, context.scope, quoted_at or start(part))
        elif isinstance(part, ast.Attribute):
            place = quoted_at or _end_name(part)
            builder.add_mention(Mention(path_of(part), Use.ANNOTATION, context.scope, *place))
            pending.append((part.value, quoted_at))
        elif not (isinstance(part, ast.Subscript) and dotted(part.value).endswith("Literal")):
            pending += [(child, quoted_at) for child in children(part)]


def read_reference(builder: FactsBuilder, node: ast.expr, use: Use, context: Context) -> Unread:
    """Note a name or attribute with a given use (base, decorator). Read anything else as usual."""
    if isinstance(node, ast.Name):
        builder.add_name(node.id, use, context.scope, start(node))
        return []
    if isinstance(node, ast.Attribute):
        builder.add_mention(
            Mention(path_of(node, context.meanings), use, context.scope, *_end_name(node))
        )
        return [(node.value, context)]
    if isinstance(node, ast.Subscript):
        return [*read_reference(builder, node.value, use, context), (node.slice, context)]
    return [(node, context)]


def call_use(builder: FactsBuilder, node: ast.Call, context: Context, *, discarded: bool) -> Unread:
    """Note a call with what it passes."""
    arguments = _arguments(node, context, discarded=discarded)
    function = node.func
    _read_special_call(builder, node, context)
    yield from ((argument, context) for argument in node.args)
    yield from ((keyword.value, context) for keyword in node.keywords)
    if isinstance(function, ast.Name):
        if function.id not in context.inner:
            builder.add_name(function.id, Use.CALL, context.scope, start(function), arguments)
            return
        written = context.meanings.get(function.id, UNKNOWN)
    else:
        written = path_of(function, context.meanings)
        yield (
            (function.value, context)
            if isinstance(function, ast.Attribute)
            else (function, context)
        )
    if written != UNKNOWN:
        place = _end_name(function) if isinstance(function, ast.Attribute) else start(function)
        builder.add_mention(Mention(written, Use.CALL, context.scope, *place, arguments))


def _read_special_call(builder: FactsBuilder, node: ast.Call, context: Context) -> None:
    """Note the effects of `getattr(x, "name")`, `partial(F, ...)` and `locals()`."""
    name = dotted(node.func)
    if name == "locals":
        builder.mark_all_read(context.scope)
    if name in BY_STRING and len(node.args) > 1:
        word = node.args[1]
        if isinstance(word, ast.Constant) and isinstance(word.value, str):
            _read_string_access(builder, node.args[0], word, BY_STRING[name], context)
    if name.endswith(REGISTERS) and len(node.args) > 1:
        _read_registration(builder, node, context)
    if name.rpartition(".")[2] == "partial" and node.args:
        late = ast.Call(func=node.args[0], args=node.args[1:], keywords=node.keywords)
        arguments = _arguments(late, context, discarded=False)
        partial = msgspec.structs.replace(arguments, partial=True)
        first = node.args[0]
        if isinstance(first, ast.Name):
            builder.add_name(first.id, Use.CALL, context.scope, start(first), partial)
        elif isinstance(first, ast.Attribute):
            written = path_of(first, context.meanings)
            builder.add_mention(
                Mention(written, Use.CALL, context.scope, *_end_name(first), partial)
            )


def _read_string_access(
    builder: FactsBuilder, owner: ast.expr, word: ast.Constant, use: Use, context: Context
) -> None:
    """Note the attribute that a string names. A dotted string names one of another."""
    names = str(word.value).split(".")
    if all(map(str.isidentifier, names)):
        path = path_of(owner, context.meanings)
        for name in names:
            path = path.attribute(name)
        place = Position(word.lineno, word.col_offset + 1)
        builder.add_mention(Mention(path, use, context.scope, *place, None, True))


def _read_registration(builder: FactsBuilder, node: ast.Call, context: Context) -> None:
    """Note the attribute that `self.register_buffer("name", value)` or a similar call sets."""
    word = node.args[0]
    if isinstance(word, ast.Constant) and isinstance(word.value, str):
        for written in paths_of(node.args[1], context.meanings):
            bound = Bound(written, context.scope, word.lineno, word.col_offset + 1)
            builder.set_attribute(
                context.scope, dotted(node.func).partition(".")[0], word.value, bound
            )


def _arguments(node: ast.Call, context: Context, *, discarded: bool) -> CallArguments:
    positional = [a for a in node.args if not isinstance(a, ast.Starred)]
    spread = next((k.value for k in node.keywords if k.arg is None), None)
    literals = {str(i): text for i, a in enumerate(positional) if (text := literal(a))}
    literals |= {k.arg: text for k in node.keywords if k.arg and (text := literal(k.value))}
    return CallArguments(
        positional=len(positional),
        keywords=tuple(k.arg for k in node.keywords if k.arg is not None),
        star=len(positional) < len(node.args),
        double_star=spread is not None,
        spread=path_of(spread, context.meanings).variable if spread is not None else "",
        literals=tuple(literals.items()),
        discarded=discarded,
    )


def literal(node: ast.expr | None) -> str:
    """Return a short constant as it would be written, else an empty string."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal(node.operand)
        return f"-{inner}" if inner else ""
    if not isinstance(node, ast.Constant):
        return ""
    text = repr(node.value)
    return text if len(text) <= LONGEST_LITERAL else ""


def call(builder: FactsBuilder, node: ast.Call, context: Context) -> Unread:
    """Note a call whose result is used."""
    return call_use(builder, node, context, discarded=False)


def name(builder: FactsBuilder, node: ast.Name, context: Context) -> Unread:
    """Note a bare name, unless the expression around it binds it."""
    if node.id not in context.inner:
        is_own = isinstance(node.ctx, ast.Store) and not builder.is_declared_outer(
            context.scope, node.id
        )
        if not is_own:
            builder.add_name(node.id, USE_OF_CONTEXT[type(node.ctx)], context.scope, start(node))
    return []


def attribute(builder: FactsBuilder, node: ast.Attribute, context: Context) -> Unread:
    """Note an attribute that is read, written or deleted."""
    written = path_of(node, context.meanings)
    use = USE_OF_CONTEXT[type(node.ctx)]
    builder.add_mention(Mention(written, use, context.scope, *_end_name(node)))
    return [(node.value, context)]


def constant(builder: FactsBuilder, node: ast.Constant, context: Context) -> Unread:
    """Note a string that could be a name."""
    if isinstance(node.value, str):
        builder.add_string(node.value, start(node))
    return []


def f_string(builder: FactsBuilder, node: ast.JoinedStr, context: Context) -> Unread:
    """Read what an f-string interpolates, not its text."""
    return [(part, context) for part in node.values if isinstance(part, ast.FormattedValue)]


def lambda_(builder: FactsBuilder, node: ast.Lambda, context: Context) -> Unread:
    """Read a lambda, whose parameters have unknown values."""
    names = frozenset(parameter.arg for parameter in parameters(node.args))
    inside = Context(
        context.scope, {**context.meanings, **dict.fromkeys(names, UNKNOWN)}, context.inner | names
    )
    defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
    return [(node.body, inside), *((default, context) for default in defaults)]


def comprehension(builder: FactsBuilder, node: Comprehension, context: Context) -> Unread:
    """Read a comprehension, whose loop variables mean what it runs over."""
    meanings = comprehension_meanings(node, context.meanings)
    names = frozenset(
        name
        for loop in node.generators
        for name, _ in loop_bindings(loop.target, loop.iter, NO_MEANINGS)
    )
    inside = Context(context.scope, meanings, context.inner | names)
    for position, loop in enumerate(node.generators):
        yield loop.iter, inside if position else context
        yield from ((test, inside) for test in loop.ifs)
        for test in loop.ifs:
            inside = inside._replace(meanings=when_true(test, inside.meanings))
    if isinstance(node, ast.DictComp):
        yield node.key, inside
        yield node.value, inside
    else:
        yield node.elt, inside


def bool_operation(builder: FactsBuilder, node: ast.BoolOp, context: Context) -> Unread:
    """Narrow what follows by what `and` and `or` have tested before."""
    narrow = when_true if isinstance(node.op, ast.And) else when_false
    for value in node.values:
        yield value, context
        context = context._replace(meanings=narrow(value, context.meanings))


def conditional(builder: FactsBuilder, node: ast.IfExp, context: Context) -> Unread:
    """Narrow the two sides of a conditional expression."""
    yield node.test, context
    yield node.body, context._replace(meanings=when_true(node.test, context.meanings))
    yield node.orelse, context._replace(meanings=when_false(node.test, context.meanings))


def named_expression(builder: FactsBuilder, node: ast.NamedExpr, context: Context) -> Unread:
    """Bind the name that an expression assigns."""
    for written in paths_of(node.value, context.meanings):
        builder.bind(context.scope, node.target.id, written)
    return [(node.value, context)]


def start(node: ast.expr | ast.alias) -> Position:
    """Return where a node starts."""
    return Position(node.lineno, node.col_offset + 1)


def _end_name(node: ast.Attribute) -> Position:
    """Return the position of an attribute's own name, the last of a chain that may span lines."""
    end = node.end_col_offset or 0
    return Position(node.end_lineno or node.lineno, end - len(node.attr.encode()) + 1)
