"""Reading expressions for facts: each handler notes what its node mentions and returns what is left to read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.facts.access_path import UNKNOWN
from esper_audit.source.facts.annotation_text import parsed_annotation
from esper_audit.source.facts.builder import FactsBuilder, Position
from esper_audit.source.facts.expression_paths import (
    NO_MEANINGS,
    Comprehension,
    Meanings,
    comprehension_meanings,
    loop_bindings,
    path_of,
    paths_of,
)
from esper_audit.source.facts.narrowing import after, when_false, when_true
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
    """Where the reader stands: the scope, what names mean here, and names that only an expression binds."""

    scope: int = 0
    meanings: Meanings = NO_MEANINGS
    inner: frozenset[str] = frozenset()


Work = tuple[ast.AST, Context]
Unread = Iterable[Work]


def block(statements: Sequence[ast.stmt], at: Context) -> Iterator[Work]:
    """Yield the statements of a block, each with what those above it say of its names."""
    for statement in statements:
        yield statement, at
        meanings = after(statement, at.meanings)
        if meanings is not at.meanings:
            at = at._replace(meanings=meanings)


def read_annotation(ledger: FactsBuilder, node: ast.expr | None, at: Context) -> None:
    """Note the names in an annotation, those in quotes too."""
    pending: list[tuple[ast.AST, Position | None]] = [(node, None)] if node is not None else []
    while pending:
        part, quoted_at = pending.pop()
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            inner = parsed_annotation(part.value)
            if inner is not None:
                pending.append((inner, Position(part.lineno, part.col_offset + 1)))
        elif isinstance(part, ast.Name):
            ledger.name(part.id, Use.ANNOTATION, at.scope, quoted_at or start(part))
        elif isinstance(part, ast.Attribute):
            place = quoted_at or _end_name(part)
            ledger.mention(Mention(path_of(part), Use.ANNOTATION, at.scope, *place))
            pending.append((part.value, quoted_at))
        elif not (isinstance(part, ast.Subscript) and dotted(part.value).endswith("Literal")):
            pending += [(child, quoted_at) for child in children(part)]


def read_reference(ledger: FactsBuilder, node: ast.expr, use: Use, at: Context) -> Unread:
    """Note a name or attribute with a use of its own (base, decorator); anything else is read as it is."""
    if isinstance(node, ast.Name):
        ledger.name(node.id, use, at.scope, start(node))
        return []
    if isinstance(node, ast.Attribute):
        ledger.mention(Mention(path_of(node, at.meanings), use, at.scope, *_end_name(node)))
        return [(node.value, at)]
    if isinstance(node, ast.Subscript):
        return [*read_reference(ledger, node.value, use, at), (node.slice, at)]
    return [(node, at)]


def call_use(ledger: FactsBuilder, node: ast.Call, at: Context, *, discarded: bool) -> Unread:
    """Note a call with what it passes."""
    arguments = _arguments(node, at, discarded=discarded)
    function = node.func
    _read_special_call(ledger, node, at)
    yield from ((argument, at) for argument in node.args)
    yield from ((keyword.value, at) for keyword in node.keywords)
    if isinstance(function, ast.Name):
        if function.id not in at.inner:
            ledger.name(function.id, Use.CALL, at.scope, start(function), arguments)
            return
        written = at.meanings.get(function.id, UNKNOWN)
    else:
        written = path_of(function, at.meanings)
        yield (function.value, at) if isinstance(function, ast.Attribute) else (function, at)
    if written != UNKNOWN:
        place = _end_name(function) if isinstance(function, ast.Attribute) else start(function)
        ledger.mention(Mention(written, Use.CALL, at.scope, *place, arguments))


def _read_special_call(ledger: FactsBuilder, node: ast.Call, at: Context) -> None:
    """Note what some calls do beyond calling: `getattr(x, "name")`, `partial(F, ...)`, `locals()`."""
    name = dotted(node.func)
    if name == "locals":
        ledger.reads_everything(at.scope)
    if name in BY_STRING and len(node.args) > 1:
        word = node.args[1]
        if isinstance(word, ast.Constant) and isinstance(word.value, str):
            _read_string_access(ledger, node.args[0], word, BY_STRING[name], at)
    if name.endswith(REGISTERS) and len(node.args) > 1:
        _read_registration(ledger, node, at)
    if name.rpartition(".")[2] == "partial" and node.args:
        late = ast.Call(func=node.args[0], args=node.args[1:], keywords=node.keywords)
        arguments = _arguments(late, at, discarded=False)
        partial = CallArguments(
            arguments.positional,
            arguments.keywords,
            arguments.star,
            arguments.double_star,
            arguments.spread,
            arguments.literals,
            partial=True,
        )
        first = node.args[0]
        if isinstance(first, ast.Name):
            ledger.name(first.id, Use.CALL, at.scope, start(first), partial)
        elif isinstance(first, ast.Attribute):
            written = path_of(first, at.meanings)
            ledger.mention(Mention(written, Use.CALL, at.scope, *_end_name(first), partial))


def _read_string_access(
    ledger: FactsBuilder, owner: ast.expr, word: ast.Constant, use: Use, at: Context
) -> None:
    """Note the attribute that a string names; a dotted string names one of another."""
    names = str(word.value).split(".")
    if all(map(str.isidentifier, names)):
        path = path_of(owner, at.meanings)
        for name in names:
            path = path.attribute(name)
        place = Position(word.lineno, word.col_offset + 1)
        ledger.mention(Mention(path, use, at.scope, *place, None, True))


def _read_registration(ledger: FactsBuilder, node: ast.Call, at: Context) -> None:
    """Note the attribute that `self.register_buffer("name", value)` and its kin give an object."""
    word = node.args[0]
    if isinstance(word, ast.Constant) and isinstance(word.value, str):
        for written in paths_of(node.args[1], at.meanings):
            bound = Bound(written, at.scope, word.lineno, word.col_offset + 1)
            ledger.set_attribute(at.scope, dotted(node.func).partition(".")[0], word.value, bound)


def _arguments(node: ast.Call, at: Context, *, discarded: bool) -> CallArguments:
    positional = [a for a in node.args if not isinstance(a, ast.Starred)]
    spread = next((k.value for k in node.keywords if k.arg is None), None)
    literals = {str(i): text for i, a in enumerate(positional) if (text := literal(a))}
    literals |= {k.arg: text for k in node.keywords if k.arg and (text := literal(k.value))}
    return CallArguments(
        positional=len(positional),
        keywords=[k.arg for k in node.keywords if k.arg is not None],
        star=len(positional) < len(node.args),
        double_star=spread is not None,
        spread=path_of(spread, at.meanings).variable if spread is not None else "",
        literals=literals,
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


def call(ledger: FactsBuilder, node: ast.Call, at: Context) -> Unread:
    """Note a call whose result is used."""
    return call_use(ledger, node, at, discarded=False)


def name(ledger: FactsBuilder, node: ast.Name, at: Context) -> Unread:
    """Note a bare name, unless the expression around it binds it."""
    if node.id not in at.inner:
        is_own = isinstance(node.ctx, ast.Store) and not ledger.is_elsewhere(at.scope, node.id)
        if not is_own:
            ledger.name(node.id, USE_OF_CONTEXT[type(node.ctx)], at.scope, start(node))
    return []


def attribute(ledger: FactsBuilder, node: ast.Attribute, at: Context) -> Unread:
    """Note an attribute that is read, written or deleted."""
    written = path_of(node, at.meanings)
    use = USE_OF_CONTEXT[type(node.ctx)]
    ledger.mention(Mention(written, use, at.scope, *_end_name(node)))
    return [(node.value, at)]


def constant(ledger: FactsBuilder, node: ast.Constant, at: Context) -> Unread:
    """Note a string that could be a name."""
    if isinstance(node.value, str):
        ledger.string(node.value, start(node))
    return []


def f_string(ledger: FactsBuilder, node: ast.JoinedStr, at: Context) -> Unread:
    """Read what an f-string interpolates; its text is no name."""
    return [(part, at) for part in node.values if isinstance(part, ast.FormattedValue)]


def lambda_(ledger: FactsBuilder, node: ast.Lambda, at: Context) -> Unread:
    """Read a lambda, whose parameters mean nothing known."""
    names = frozenset(parameter.arg for parameter in parameters(node.args))
    inside = Context(at.scope, {**at.meanings, **dict.fromkeys(names, UNKNOWN)}, at.inner | names)
    defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
    return [(node.body, inside), *((default, at) for default in defaults)]


def comprehension(ledger: FactsBuilder, node: Comprehension, at: Context) -> Unread:
    """Read a comprehension, whose loop variables mean what it runs over."""
    meanings = comprehension_meanings(node, at.meanings)
    names = frozenset(
        name
        for loop in node.generators
        for name, _ in loop_bindings(loop.target, loop.iter, NO_MEANINGS)
    )
    inside = Context(at.scope, meanings, at.inner | names)
    for position, loop in enumerate(node.generators):
        yield loop.iter, inside if position else at
        yield from ((test, inside) for test in loop.ifs)
        for test in loop.ifs:
            inside = inside._replace(meanings=when_true(test, inside.meanings))
    if isinstance(node, ast.DictComp):
        yield node.key, inside
        yield node.value, inside
    else:
        yield node.elt, inside


def bool_operation(ledger: FactsBuilder, node: ast.BoolOp, at: Context) -> Unread:
    """Narrow what follows by what `and` and `or` have tested before."""
    narrow = when_true if isinstance(node.op, ast.And) else when_false
    for value in node.values:
        yield value, at
        at = at._replace(meanings=narrow(value, at.meanings))


def conditional(ledger: FactsBuilder, node: ast.IfExp, at: Context) -> Unread:
    """Narrow the two sides of a conditional expression."""
    yield node.test, at
    yield node.body, at._replace(meanings=when_true(node.test, at.meanings))
    yield node.orelse, at._replace(meanings=when_false(node.test, at.meanings))


def named_expression(ledger: FactsBuilder, node: ast.NamedExpr, at: Context) -> Unread:
    """Bind the name that an expression assigns."""
    for written in paths_of(node.value, at.meanings):
        ledger.bind(at.scope, node.target.id, written)
    return [(node.value, at)]


def start(node: ast.expr | ast.alias) -> Position:
    """Return where a node starts."""
    return Position(node.lineno, node.col_offset + 1)


def _end_name(node: ast.Attribute) -> Position:
    """Return where the attribute's own name stands, the last of a chain that may span lines."""
    end = node.end_col_offset or 0
    return Position(node.end_lineno or node.lineno, end - len(node.attr.encode()) + 1)
