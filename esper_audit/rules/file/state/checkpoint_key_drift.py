"""The rule `checkpoint-key-drift`: the keys of a saved state differ from the loaded keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Options, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.state.state_keys_read import KeyRead, keys_used, read_keys
from esper_audit.source.idioms.state.state_keys_written import KeyWrite, written_keys
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import functions_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

LOADED_BY = {
    "__getstate__": "__setstate__",
    "as_dict": "from_dict",
    "get_extra_state": "set_extra_state",
    "get_state": "set_state",
    "serialize": "deserialize",
    "state_dict": "load_state_dict",
    "to_dict": "from_dict",
    "to_json": "from_json",
}
PREFIXES = {"save": "load", "_save": "_load", "dump": "load", "_dump": "_load"}
KEY_USES: frozenset[type[ast.expr]] = frozenset({ast.Subscript, ast.Dict, ast.Compare, ast.Call})
PARTS = frozenset({"save", "load", "dump", "state", "_dict", "serialize", "_json"})
"""Substrings of which the names of these functions contain at least one."""


class CheckpointKeyDriftOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`descriptive`: last words of keys that describe the file and are not meant for the loader."""

    descriptive: frozenset[str] = frozenset(
        {"class", "date", "format", "hash", "kind", "method", "name", "schema", "time", "timestamp"}
        | {"type", "version"}
    )


class CheckpointKeyDrift(Rule):
    """The keys of a saved state differ from the loaded keys.

    What: the constant keys that one function of a pair writes and the other reads: `state_dict` and
    `load_state_dict`, `get_extra_state`, `to_dict`, `__getstate__`, `save_x` and `load_x` of one
    class or module. Reported are a key that the loader requires, or has a default for, and the saver
    never writes, and a key that is written and never read.

    Why: a checkpoint that loads without an error has lost the values under the other name. The
    resumed run starts that part from scratch, and only the curves show it.

    Quiet: a function whose dict is not completely known (`**`, a computed key, the result of
    `super()`, `update` with another object), or that passes the dict on; a key that other code of
    the file reads or writes; a key with handled absence (`if "k" in state`, `setdefault`, an `if` on
    the result of `get`: a migration); keys that describe the file (`version`, `class`; option
    `descriptive`); several files saved by one function.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "5 of 5 findings in 40 packages were correct; one key may be meant for people"
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), parts=PARTS)
    Options = CheckpointKeyDriftOptions
    options: CheckpointKeyDriftOptions
    VALID = (
        Valid(
            "the same keys in both",
            """
            class A:
                def state_dict(self):
                    return {"step": self.step}
                def load_state_dict(self, state):
                    self.step = state["step"]
            """,
        ),
        Valid(
            "a dict that is passed on",
            """
            class A:
                def state_dict(self):
                    return {"step": 1, "n": 2}
                def load_state_dict(self, state):
                    self.__dict__.update(state)
            """,
        ),
        Valid(
            "a dict from another function",
            """
            class A(B):
                def state_dict(self):
                    state = super().state_dict()
                    state['n'] = 1
                    return state
                def load_state_dict(self, state):
                    self.n = state['n']
                    self.m = state['m']
            """,
        ),
        Valid(
            "computed keys",
            """
            class A:
                def state_dict(self):
                    return {**self.rest}
                def load_state_dict(self, state):
                    self.step = state["step"]
            class A:
                def state_dict(self):
                    return {"a": 1, "b": 2}
                def load_state_dict(self, state):
                    for k in self.names:
                        put(k, state[k])
            """,
        ),
        Valid(
            "a migration",
            """
            class A:
                def state_dict(self):
                    return {"step": 1}
                def load_state_dict(self, state):
                    if "old" in state:
                        state["step"] = state.pop("old")
                    self.step = state["step"]
            """,
        ),
        Valid(
            "a key with tested absence",
            """
            class A:
                def state_dict(self):
                    return {"start": 1}
                def load_state_dict(self, state):
                    times = state.get("times")
                    if times is None:
                        times = range(state["start"])
                    self.start = times[0]
            """,
        ),
        Valid(
            "a copy that the object stores",
            """
            class A:
                def state_dict(self):
                    return {"n": 1, "m": 2}
                def load_state_dict(self, state):
                    self.__dict__ = dict(state)
                    put(state["n"])
            """,
        ),
        Valid(
            "a key that describes the file",
            """
            class A:
                def state_dict(self):
                    return {"format_version": 2, "n": 1}
                def load_state_dict(self, state):
                    self.n = state["n"]
            """,
        ),
        Valid(
            "a key that other code reads",
            """
            class A:
                def state_dict(self):
                    return {"n": 1, "m": 2}
                def load_state_dict(self, state):
                    self.n = state["n"]
            def m(path):
                return read(path)['m']
            """,
        ),
        Valid(
            "built in steps, loaded from a file",
            """
            def save_run(path, step):
                d = dict(step=step)
                d['lr'] = 1
                d.update({'t': 2})
                torch.save(d, path)
            def load_run(path):
                d = torch.load(path)
                e = dict(d)
                return d['step'], e['lr'], d.get('t')
            """,
        ),
        Valid(
            "a saver without a loader",
            """
            class A:
                def to_dict(self):
                    return {'n': 1}
            """,
        ),
        Valid(
            "two files",
            """
            def save(a):
                dump({'n': 1}, 'a')
                dump({'m': 2}, 'b')
            def load(a):
                x = load_json(a)
                return a['n']
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a key that is never written",
            """
            class A:
                def state_dict(self):
                    return {"step": 1}
                def load_state_dict(self, state):
                    self.step = state["steps"]
            """,
            (
                (3, "writes `step`, which `load_state_dict` never reads"),
                (5, "requires `steps`, which `state_dict` never writes"),
            ),
        ),
        Invalid(
            "a default that always applies",
            """
            class A:
                def state_dict(self):
                    return {"alpha": 1}
                def load_state_dict(self, state):
                    self.alpha = state["alpha"]
                    self.t = state.get("t", 0)
            """,
            ((6, "has a default for `t`, which `state_dict` never writes"),),
        ),
        Invalid(
            "a saved key that is never read",
            """
            class A:
                def to_dict(self):
                    out = {'a': self.a}
                    out['b'] = self.b
                    return out
                @classmethod
                def from_dict(cls, data):
                    return cls(data.pop('a'))
            """,
            ((4, "writes `b`, which `from_dict` never reads"),),
        ),
        Invalid(
            "two functions of a module",
            """
            def save_run(path):
                torch.save(dict(step=1, seed=2), path)
            def load_run(path, device):
                data = torch.load(path)
                return data['step']
            """,
            ((2, "writes `seed`, which `load_run` never reads"),),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions that save or load by their names."""
        return [n for n in nodes if isinstance(n, Function) and _counterparts(n.name)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each key of one function that its counterpart lacks, at the key."""
        if not isinstance(node, Function) or not _counterparts(node.name):
            return
        scopes = file.definitions(node)
        block = scopes[-1].body if scopes else file.tree.body
        differences = list(self._differences(node, block, file.once(_KeyTable)))
        known = _keys_used_elsewhere(file, node) if differences else set()
        for key, message in differences:
            if key not in known:
                yield Violation(_key_place(key, node, file), message)

    def _differences(
        self, function: Function, block: Sequence[ast.stmt], keys: _KeyTable
    ) -> Iterator[tuple[str, str]]:
        names = _counterparts(function.name)
        other = next((f for f in functions_in(block) if f.name in names), None)
        if other is None:
            return
        if _is_saver(function.name):
            yield from self._unread(keys.written(function), keys.read(other), other.name)
        else:
            yield from _unwritten(keys.read(function), keys.written(other), other.name)

    def _unread(
        self, written: KeyWrite | None, read: KeyRead | None, name: str
    ) -> Iterator[tuple[str, str]]:
        if written is None or read is None or read.is_passed_on:
            return
        for key in sorted(written.keys - read.keys):
            if re.split(r"\W|_", key)[-1].lower() not in self.options.descriptive:
                yield key, f"writes `{key}`, which `{name}` never reads"


class _KeyTable:
    """The keys that functions of a file read and write, each computed once."""

    def __init__(self, _: FileView) -> None:
        self.read = cache(read_keys)
        self.written = cache(written_keys)


def _unwritten(
    read: KeyRead | None, written: KeyWrite | None, name: str
) -> Iterator[tuple[str, str]]:
    if written is None or read is None or written.is_open:
        return
    for key in sorted(read.keys - read.handled - written.keys):
        verb = "requires" if key in read.required else "has a default for"
        yield key, f"{verb} `{key}`, which `{name}` never writes"


def _is_saver(name: str) -> bool:
    return name in LOADED_BY or any(_has_prefix(name, prefix) for prefix in PREFIXES)


@cache
def _counterparts(name: str) -> frozenset[str]:
    """Return the names of the functions that load the result of a function, or that save its input."""
    found = {load for save, load in LOADED_BY.items() if save == name}
    found |= {save for save, load in LOADED_BY.items() if load == name}
    for save, load in PREFIXES.items():
        found |= {load + name.removeprefix(save)} if _has_prefix(name, save) else set()
        found |= {save + name.removeprefix(load)} if _has_prefix(name, load) else set()
    return frozenset(found)


def _has_prefix(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}_")


def _keys_used_elsewhere(file: FileView, function: Function) -> set[str]:
    """Return the keys that other code of the file reads, or for a loader those that it writes."""
    context = ast.Load if _is_saver(function.name) else ast.Store
    own = set(scan(function, KEY_USES))
    return {
        key.value
        for kind in KEY_USES
        for node in file.nodes(kind)
        if node not in own
        for key in keys_used(node, context)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _key_place(key: str, function: Function, file: FileView) -> ast.AST | Span:
    """Return the node of a key in a function, or the span of the function's name."""
    parts = {part for node in _body_nodes(function) for part in _literal_parts(node)}
    places: list[ast.Constant | ast.keyword] = [
        node
        for node in _body_nodes(function)
        if (isinstance(node, ast.Constant) and node.value == key and node not in parts)
        or (isinstance(node, ast.keyword) and node.arg == key)
    ]
    first = min(places, key=lambda node: (node.lineno, node.col_offset), default=None)
    return first if first is not None else file.name_span(function)


def _body_nodes(function: Function) -> Iterator[ast.AST]:
    return (node for statement in function.body for node in walk(statement))


def _literal_parts(node: ast.AST) -> list[ast.expr]:
    """Return the parts of an f-string: its literal texts and its replacement fields."""
    return node.values if isinstance(node, ast.JoinedStr) else []
