"""The rule `checkpoint-key-drift`: what is saved under a name is not what is loaded by it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache

from esper_audit.findings.finding import Category, Severity, Span
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
"""What the names of these functions contain."""


class CheckpointKeyDriftOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`descriptive` are last words of keys that are written for others to read than the loader."""

    descriptive: frozenset[str] = frozenset(
        {"class", "date", "format", "hash", "kind", "method", "name", "schema", "time", "timestamp"}
        | {"type", "version"}
    )


class CheckpointKeyDrift(Rule):
    """What is saved under a name is not what is loaded by it.

    What: the constant keys that one half of a pair writes and the other reads: `state_dict` and
    `load_state_dict`, `get_extra_state`, `to_dict`, `__getstate__`, `save_x` and `load_x` of one class or
    one module. Reported are a key that the loader requires and nobody writes, one it has a default
    for and nobody writes, and one that is written and never read.

    Why: a checkpoint that is loaded without an error has lost what was saved under the other name.
    The resumed run starts that part afresh, and nobody sees it before the curves differ.

    Quiet: a half whose dict is not known whole (`**`, a computed key, what `super()` adds, `update`
    with something else), or that passes it on whole; a key that other code of the file reads or
    writes, one whose absence is handled (`if "k" in state`, `setdefault`, an `if` about what `get`
    gave: a migration); keys that describe the file (`version`, `class`; option `descriptive`);
    several files saved by one function.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P2
    precision = "5 of 5 were right, all there are in 40 packages; one key may be meant for people"
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), parts=PARTS)
    Options = CheckpointKeyDriftOptions
    options: CheckpointKeyDriftOptions
    VALID = (
        Valid(
            "both know the same keys",
            """
            class A:
                def state_dict(self):
                    return {"step": self.step}
                def load_state_dict(self, state):
                    self.step = state["step"]
            """,
        ),
        Valid(
            "a dict that goes on whole",
            """
            class A:
                def state_dict(self):
                    return {"step": 1, "n": 2}
                def load_state_dict(self, state):
                    self.__dict__.update(state)
            """,
        ),
        Valid(
            "a dict that comes from elsewhere",
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
            "keys that are computed",
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
            "a key whose absence is asked for",
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
            "a copy that the object takes over",
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
            "what describes the file",
            """
            class A:
                def state_dict(self):
                    return {"format_version": 2, "n": 1}
                def load_state_dict(self, state):
                    self.n = state["n"]
            """,
        ),
        Valid(
            "a key that somebody else reads",
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
            "only one half",
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
            "a key that nobody writes",
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
            "a default that always stands in",
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
            "saved and lost",
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
        """Report each key that only one of the two knows, where it stands."""
        if not isinstance(node, Function) or not _counterparts(node.name):
            return
        scopes = file.definitions(node)
        block = scopes[-1].body if scopes else file.tree.body
        drifts = list(self._drifts(node, block, file.once(_KeyTable)))
        known = _known_elsewhere(file, node) if drifts else set()
        for key, message in drifts:
            if key not in known:
                yield Violation(_place(key, node, file), message)

    def _drifts(
        self, function: Function, block: Sequence[ast.stmt], keys: _KeyTable
    ) -> Iterator[tuple[str, str]]:
        names = _counterparts(function.name)
        other = next((f for f in functions_in(block) if f.name in names), None)
        if other is None:
            return
        if _saves(function.name):
            yield from self._unread(keys.written(function), keys.read(other), other.name)
        else:
            yield from _unwritten(keys.read(function), keys.written(other), other.name)

    def _unread(
        self, written: KeyWrite | None, read: KeyRead | None, name: str
    ) -> Iterator[tuple[str, str]]:
        if written is None or read is None or read.is_whole:
            return
        for key in sorted(written.keys - read.keys):
            if re.split(r"\W|_", key)[-1].lower() not in self.options.descriptive:
                yield key, f"writes `{key}`, which `{name}` never reads"


class _KeyTable:
    """The keys that functions of a file read and write, each worked out once."""

    def __init__(self, _: FileView) -> None:
        self.read = cache(read_keys)
        self.written = cache(written_keys)


def _unwritten(
    read: KeyRead | None, written: KeyWrite | None, name: str
) -> Iterator[tuple[str, str]]:
    if written is None or read is None or written.is_open:
        return
    for key in sorted(read.keys - read.handled - written.keys):
        does = "requires" if key in read.required else "has a default for"
        yield key, f"{does} `{key}`, which `{name}` never writes"


def _saves(name: str) -> bool:
    return name in LOADED_BY or any(_has_prefix(name, prefix) for prefix in PREFIXES)


@cache
def _counterparts(name: str) -> frozenset[str]:
    """Return the names of the functions that load what a function saves, or the other way round."""
    found = {load for save, load in LOADED_BY.items() if save == name}
    found |= {save for save, load in LOADED_BY.items() if load == name}
    for save, load in PREFIXES.items():
        found |= {load + name.removeprefix(save)} if _has_prefix(name, save) else set()
        found |= {save + name.removeprefix(load)} if _has_prefix(name, load) else set()
    return frozenset(found)


def _has_prefix(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}_")


def _known_elsewhere(file: FileView, function: Function) -> set[str]:
    """Return the keys that other code of the file reads, or writes if it is a load that asks."""
    context = ast.Load if _saves(function.name) else ast.Store
    own = set(scan(function, KEY_USES))
    return {
        key.value
        for kind in KEY_USES
        for node in file.nodes(kind)
        if node not in own
        for key in keys_used(node, context)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _place(key: str, function: Function, file: FileView) -> ast.AST | Span:
    """Return where a key stands in a function."""
    parts = {part for node in _nodes(function) for part in _literal_parts(node)}
    places: list[ast.Constant | ast.keyword] = [
        node
        for node in _nodes(function)
        if (isinstance(node, ast.Constant) and node.value == key and node not in parts)
        or (isinstance(node, ast.keyword) and node.arg == key)
    ]
    first = min(places, key=lambda node: (node.lineno, node.col_offset), default=None)
    return first if first is not None else file.name_span(function)


def _nodes(function: Function) -> Iterator[ast.AST]:
    return (node for statement in function.body for node in walk(statement))


def _literal_parts(node: ast.AST) -> list[ast.expr]:
    """Return the texts between the braces of an f-string."""
    return node.values if isinstance(node, ast.JoinedStr) else []
