"""The rule `stringified-device`: the text of a device is the key of a cache."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

LOOK_UPS = frozenset({"get", "setdefault", "pop"})
TEXTS = frozenset({"str", "repr", "format"})


class StringifiedDevice(Rule):
    """The text of a device is the key of a cache or dict.

    What: `str(device)`, `repr(device)` or an f-string of a device, alone or in a tuple, as a subscript,
    in `get`, `setdefault` or `pop`, before `in`, or under a name that is used so.

    Why: the text is built and hashed at each look-up, and `cuda` and `cuda:0` are two keys of one
    device. `device.index`, or the device itself, is hashable.

    Quiet: messages, arguments of other functions, `device.type`; what is not seen to be a device: a
    name or attribute `device`, an annotation `torch.device`, a call of `torch.device`.

    Tickets: deep dive 3
    """

    contract = "device-keys"
    category = Category.PERFORMANCE
    severity = Severity.P4
    precision = "7 of 7 findings were correct (timm; none in 18 more packages)"
    triggers = Triggers(
        nodes=frozenset({"Call", "Subscript", "Compare", "Dict"}), parts=frozenset({"device"})
    )
    VALID = (
        Valid(
            "a device as the key, its index, its type",
            """
            def mask(cache, x, device):
                if device not in cache:
                    cache[x.device] = x
                return cache[device.index, x.device.type]
            """,
        ),
        Valid(
            "the text in a message or as an argument",
            """
            def report(x, names):
                print(f"on {x.device}", str(x.device))
                return names[0], load(str(x.device))
            """,
        ),
        Valid(
            "the text of something else",
            """
            def look_up(cache, key):
                return cache[str(key)], cache.get(repr(key.dtype))
            """,
        ),
    )
    INVALID = (
        Invalid(
            "subscripts, look-ups and tests",
            """
            def mask(cache, x, length):
                if (length, str(x.device)) not in cache:
                    cache[length, str(x.device)] = x
                return cache.get(f"{x.device}", None)
            """,
            (
                (2, "the key `str(x.device)` is the text of a device"),
                (3, "the key `str(x.device)` is the text of a device"),
                (4, 'the key `f"{x.device}"` is the text of a device'),
            ),
        ),
        Invalid(
            "a key under a name, of an annotated or made device",
            """
            import torch


            def block(cache, where: torch.device, size):
                key = (size, str(where))
                if key in cache:
                    return cache[key]
                here = torch.device("cuda")
                return {repr(here): size}
            """,
            (
                (5, "the key `str(where)` is the text of a device"),
                (9, "the key `repr(here)` is the text of a device"),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep texts, and look-ups by a text."""
        return [n for n in nodes if _is_text(n) or any(map(_is_text, _keys(n)))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each text of a device in a key."""
        for key in _keys(node):
            yield from _texts(key, file)
        if (
            isinstance(node, ast.Call)
            and terminal_name(node.func) in TEXTS
            and _is_kept(node, file)
        ):
            yield from _texts(node, file)


def _is_text(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Call) and dotted(node.func) in TEXTS
    return is_call or isinstance(node, ast.JoinedStr)


def _keys(node: ast.AST) -> list[ast.expr]:
    """Return what a node looks up: the parts of a tuple one by one."""
    if isinstance(node, ast.Subscript):
        keys = [node.slice]
    elif isinstance(node, ast.Compare):
        keys = [node.left] if isinstance(node.ops[0], (ast.In, ast.NotIn)) else []
    elif isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
    else:
        is_look_up = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        keys = node.args[:1] if is_look_up and terminal_name(node.func) in LOOK_UPS else []  # type: ignore[attr-defined]  # a call
    return [part for key in keys for part in (key.elts if isinstance(key, ast.Tuple) else [key])]


def _texts(key: ast.expr, file: FileView) -> Iterator[Violation]:
    """Yield a violation for a key that is the text of a device."""
    parts: list[ast.expr] = []
    if isinstance(key, ast.Call) and dotted(key.func) in TEXTS:
        parts = key.args[:1]
    elif isinstance(key, ast.JoinedStr):
        parts = [v.value for v in key.values if isinstance(v, ast.FormattedValue)]
    if any(_is_device(part, file) for part in parts):
        yield Violation(key, f"the key `{file.code(key)}` is the text of a device")


def _is_device(node: ast.expr, file: FileView) -> bool:
    name = dotted(node)
    if name.rpartition(".")[2] == "device":
        return True
    for function in file.functions(node):
        for given in parameters(function.args):
            if given.arg == name and given.annotation is not None:
                return "torch.device" in ast.unparse(given.annotation)
        assigned = (n for n in scan(function, {ast.Assign}) if isinstance(n, ast.Assign))
        values = [n.value for n in assigned if name in map(dotted, n.targets)]
        calls = [v.func if isinstance(v, ast.Call) else v for v in values]
        if name and any(dotted(call).rpartition(".")[2] == "device" for call in calls):
            return True
    return False


def _is_kept(call: ast.Call, file: FileView) -> bool:
    """Return whether a text is a part of what a name gets that the function uses as a key."""
    statement = file.enclosing(call)[-1]
    functions = file.functions(call)
    if not isinstance(statement, ast.Assign) or not functions:
        return False
    value = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
    names = {dotted(target) for target in statement.targets} - {""}
    return call in value and any(dotted(k) in names for k in _keys_in(functions[-1]))


def _keys_in(function: Function) -> Iterator[ast.expr]:
    return (key for node in walk(function) for key in _keys(node))
