"""The rule `mutable-default-stored`: a default object that all calls share is changed or kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.classes.mutable_values import (
    changes_of,
    is_empty_container,
    is_mutable,
    is_stateful_layer,
    stores_of,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.insertion import before_line_of, first_statement
from esper_audit.source.syntax.names import Function, defaults
from esper_audit.source.syntax.spans import code_of
from esper_audit.text.phrases import quoted

COLLECTED = (
    "the default `{}` of `{}` is one object for all calls, and line {} changes it. Default to None."
)


class MutableDefaultStored(Rule):
    """A default object that all calls share is changed or kept.

    What: a parameter whose default is a list, dict or set, or a layer with parameters, and that the
    function changes (`items.append(x)`, `table[k] = v`, `names += more`), or keeps in an attribute that
    the class changes or hands on.

    Why: the default is made once. The second object starts with the entries of the first, two networks
    share the weights of a default `nn.PReLU()`.

    Quiet: a default that is only read; a copy (`list(items)`, `items or {}`); a memo, which the function
    looks up and fills under the same parameter; a name that is bound anew before the change.

    Tickets: real code
    """

    contract = "fresh-defaults"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "8 of 8 findings would be merged (flair, sentence-transformers, speechbrain, torchgeo)"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), collected=frozenset({"ClassDef"}))

    VALID = (
        Valid(
            "a default that is only read",
            """
            class Net:
                def __init__(self, sizes=[3, 5], names=()):
                    self.sizes = sizes
                    self.total = sum(sizes)
            """,
        ),
        Valid(
            "a copy is kept",
            """
            class Net:
                def __init__(self, hooks=[], extra={}, seen=set()):
                    self.hooks = list(hooks)
                    self.extra = extra or {}
                    self.seen = {*seen}
            """,
        ),
        Valid(
            "None stands for a new one",
            """
            class Net:
                def __init__(self, hooks=None):
                    self.hooks = [] if hooks is None else hooks
            """,
        ),
        Valid(
            "a memo",
            """
            def shape_of(key, _known={}):
                if key not in _known:
                    _known[key] = measure(key)
                return _known[key]
            """,
        ),
        Valid(
            "a name that is bound anew",
            """
            from torch import nn

            def build(sizes=[], act=nn.ReLU()):
                sizes = list(sizes)
                sizes.append(1)
                return nn.Sequential(*map(nn.Linear, sizes), act)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a default of several lines of a signature, after a docstring",
            """
            def collect(
                rows,
                seen=[],  # what was read before
            ):
                '''Collect rows.'''
                seen.append(rows)
            """,
            ((3, COLLECTED.format("[]", "seen", 6)),),
        ),
        Invalid(
            "a default of one line",
            """
            def collect(rows, seen=[]):
                seen.append(rows)
                return seen
            """,
            ((1, COLLECTED.format("[]", "seen", 2)),),
            fixed="""
            def collect(rows, seen=None):
                if seen is None:
                    seen = []
                seen.append(rows)
                return seen
            """,
        ),
        Invalid(
            "an empty default that objects keep",
            """
            class Recorder:
                def __init__(self, model, hooks=[], *, table: dict = {}):
                    self.model = model
                    self.hooks = hooks
                    self.table = table
            """,
            (
                (
                    2,
                    (
                        "the default `[]` of `hooks` is one object for all calls, and `self.hooks` keeps it. "
                        "Default to None."
                    ),
                ),
                (
                    2,
                    (
                        "the default `{}` of `table` is one object for all calls, and `self.table` keeps it. "
                        "Default to None."
                    ),
                ),
            ),
        ),
        Invalid(
            "a default that another method fills",
            """
            class Meter:
                def __init__(self, names=["loss"]):
                    self._names = names

                def add(self, name):
                    self._names.append(name)

            class Wide(Meter):
                def __init__(self, limits={"a": 1}):
                    super().__init__()
                    self.limits = limits

                def raise_limit(self):
                    self.limits["a"] += 1
            """,
            (
                (
                    2,
                    (
                        'the default `["loss"]` of `names` is one object for all calls, and `self._names` '
                        "keeps it, which line 6 changes. Default to None."
                    ),
                ),
                (
                    9,
                    (
                        'the default `{"a": 1}` of `limits` is one object for all calls, and `self.limits` '
                        "keeps it, which line 14 changes. Default to None."
                    ),
                ),
            ),
        ),
        Invalid(
            "a default that the function changes",
            """
            def collect(x, found=list()):
                found.append(x)
                return found

            async def merge(more, options={"lr": 0.1}):
                options.update(more)
                return options

            def extend(more, names=[]):
                names += more
                return names
            """,
            (
                (
                    1,
                    (
                        "the default `list()` of `found` is one object for all calls, and line 2 changes it. "
                        "Default to None."
                    ),
                ),
                (
                    5,
                    (
                        'the default `{"lr": 0.1}` of `options` is one object for all calls, and line 6 '
                        "changes it. Default to None."
                    ),
                ),
                (
                    9,
                    (
                        "the default `[]` of `names` is one object for all calls, and line 10 changes it. "
                        "Default to None."
                    ),
                ),
            ),
        ),
        Invalid(
            "a default layer whose weights all networks share",
            """
            from torch import nn

            class Block(nn.Module):
                def __init__(self, width, act: nn.Module = nn.PReLU()):
                    super().__init__()
                    self.act = act
            """,
            (
                (
                    4,
                    (
                        "the default `nn.PReLU()` of `act` is one object for all calls, and `self.act` keeps "
                        "it. Default to None."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a list, a dict, a set or a call as a default."""
        return [n for n in nodes if isinstance(n, Function) and any(map(is_mutable, _defaults(n)))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the defaults that are changed or kept."""
        if not isinstance(node, Function):
            return
        for name, default in defaults(node.args).items():
            if is_mutable(default) and (use := self._use(node, name, default, file)):
                message = f"the default `{quoted(file.code(default))}` of `{name}` is one object for all calls"
                fix = _default_of_none(node, name, default, file)
                yield Violation(
                    default, f"{message}, and {use}. Default to None.", fix, argument=name
                )

    def _use(self, function: Function, name: str, default: ast.expr, file: FileView) -> str:
        """Return how a function changes or keeps a default, empty if it does not."""
        is_layer = is_stateful_layer(default, file.resolve)
        if isinstance(default, ast.Call) and not is_layer and not is_empty_container(default):
            return ""
        changes = [] if is_layer else changes_of(function, name)
        if changes:
            return f"line {changes[0].lineno} changes it"
        owner = file.once(class_table).owner(function)
        for attribute in stores_of(function, name) if owner is not None else ():
            family = file.once(class_table).family(owner) if owner is not None else None
            change = _change_of_attribute(attribute, family) if family is not None else ""
            is_shared = (
                is_empty_container(default)
                and family is not None
                and _is_handed_on(attribute, family, file)
            )
            if change or is_layer or is_shared:
                return f"`{ast.unparse(attribute)}` keeps it{change}"
        return ""


def _default_of_none(
    function: Function, name: str, default: ast.expr, file: FileView
) -> Replacement | None:
    """Return the fix that makes the default at each call, or None where lines hold several statements."""
    lines, first = file.source.lines, first_statement(function)
    place = before_line_of(first, lines) if first is not None else None
    if place is None:
        return None
    start = file.span(default)
    between = code_of(Span(start.end_line, start.end_column, place.line, place.column), lines)
    indent = " " * place.column
    made = f"if {name} is None:\n{indent}    {name} = {file.code(default)}\n{indent}"
    whole = Span(start.line, start.column, place.line, place.column)
    return Replacement(whole, f"None{between}{made}", safe=True, description="make it at each call")


def _change_of_attribute(attribute: ast.Attribute, family: ClassFamily) -> str:
    """Return which line of a class changes what an attribute keeps, empty if none does."""
    methods = [method for member in family.members for method in member.functions]
    changed = [c for method in methods for c in changes_of(method, ast.unparse(attribute))]
    return f", which line {changed[0].lineno} changes" if changed else ""


def _is_handed_on(attribute: ast.Attribute, family: ClassFamily, file: FileView) -> bool:
    """Return whether others get what an attribute keeps: the class does not read it, or hands it on."""
    uses = family.reads(attribute.attr)
    return not uses or any(_is_whole(use.node, file) for use in uses)


def _is_whole(node: ast.AST, file: FileView) -> bool:
    """Return whether an expression hands on the object itself, as an argument or as a result."""
    above = file.parent(node)
    if isinstance(above, ast.keyword):
        return above.arg is not None
    if isinstance(above, ast.Call) and node is not above.func:
        return not (file.resolve(above.func) or "").startswith("builtins.")
    return isinstance(above, ast.Return)


def _defaults(function: Function) -> list[ast.expr]:
    given = [default for default in function.args.kw_defaults if default is not None]
    return [*function.args.defaults, *given]
