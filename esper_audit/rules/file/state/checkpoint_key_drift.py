"""The rule `checkpoint-key-drift`: what is saved under a name is not what is loaded by it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Options, Reach, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.state.state_keys_read import KeyRead, keys_used, read_keys
from esper_audit.source.idioms.state.state_keys_written import KeyWrite, written_keys
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.cst_walk import walk as walk_cst
from esper_audit.source.syntax.enclosing import functions_in
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.node_view import View

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
SAVING = frozenset({*LOADED_BY, *PREFIXES})
LOADING = frozenset({*LOADED_BY.values(), *PREFIXES.values()})
# A class that saves and loads by the usual names.
PAIR = (
    "class A:\n    def state_dict(self):\n        return {{{}}}\n"
    "    def load_state_dict(self, state):\n        {}\n"
)


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
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), parts=SAVING | LOADING)
    reach = Reach.STATEMENT
    Options = CheckpointKeyDriftOptions
    options: CheckpointKeyDriftOptions
    VALID = (
        Valid(
            "both know the same keys", PAIR.format('"step": self.step', 'self.step = state["step"]')
        ),
        Valid(
            "a dict that goes on whole",
            PAIR.format('"step": 1, "n": 2', "self.__dict__.update(state)"),
        ),
        Valid(
            "a dict that comes from elsewhere",
            "class A(B):\n    def state_dict(self):\n        state = super().state_dict()\n"
            "        state['n'] = 1\n"
            "        return state\n    def load_state_dict(self, state):\n"
            "        self.n = state['n']\n"
            "        self.m = state['m']\n",
        ),
        Valid(
            "keys that are computed",
            PAIR.format("**self.rest", 'self.step = state["step"]')
            + PAIR.format('"a": 1, "b": 2', "for k in self.names:\n            put(k, state[k])"),
        ),
        Valid(
            "a migration",
            PAIR.format(
                '"step": 1',
                'if "old" in state:\n            state["step"] = state.pop("old")\n'
                '        self.step = state["step"]',
            ),
        ),
        Valid(
            "a key whose absence is asked for",
            PAIR.format(
                '"start": 1',
                'times = state.get("times")\n        if times is None:\n'
                '            times = range(state["start"])\n        self.start = times[0]',
            ),
        ),
        Valid(
            "a copy that the object takes over",
            PAIR.format('"n": 1, "m": 2', 'self.__dict__ = dict(state)\n        put(state["n"])'),
        ),
        Valid(
            "what describes the file",
            PAIR.format('"format_version": 2, "n": 1', 'self.n = state["n"]'),
        ),
        Valid(
            "a key that somebody else reads",
            PAIR.format('"n": 1, "m": 2', 'self.n = state["n"]')
            + "def m(path):\n    return read(path)['m']\n",
        ),
        Valid(
            "built in steps, loaded from a file",
            "def save_run(path, step):\n    d = dict(step=step)\n    d['lr'] = 1\n"
            "    d.update({'t': 2})\n    torch.save(d, path)\n"
            "def load_run(path):\n    d = torch.load(path)\n    e = dict(d)\n"
            "    return d['step'], e['lr'], d.get('t')\n",
        ),
        Valid("only one half", "class A:\n    def to_dict(self):\n        return {'n': 1}\n"),
        Valid(
            "two files",
            "def save(a):\n    dump({'n': 1}, 'a')\n    dump({'m': 2}, 'b')\ndef load(a):\n"
            "    x = load_json(a)\n    return a['n']\n",
        ),
    )
    INVALID = (
        Invalid(
            "a key that nobody writes",
            PAIR.format('"step": 1', 'self.step = state["steps"]'),
            (
                (3, "writes `step`, which `load_state_dict` never reads"),
                (5, "requires `steps`, which `state_dict` never writes"),
            ),
        ),
        Invalid(
            "a default that always stands in",
            PAIR.format(
                '"alpha": 1', 'self.alpha = state["alpha"]\n        self.t = state.get("t", 0)'
            ),
            ((6, "has a default for `t`, which `state_dict` never writes"),),
        ),
        Invalid(
            "saved and lost",
            "class A:\n    def to_dict(self):\n        out = {'a': self.a}\n"
            "        out['b'] = self.b\n        return out\n"
            "    @classmethod\n    def from_dict(cls, data):\n        return cls(data.pop('a'))\n",
            ((4, "writes `b`, which `from_dict` never reads"),),
        ),
        Invalid(
            "two functions of a module",
            "def save_run(path):\n    torch.save(dict(step=1, seed=2), path)\n"
            "def load_run(path, device):\n    data = torch.load(path)\n    return data['step']\n",
            ((2, "writes `seed`, which `load_run` never reads"),),
        ),
    )

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep methods whose keys differ from their counterpart's, and functions that handle keys."""
        if not isinstance(node, Function) or not _counterparts(node.name):
            return False
        owner = enclosing[-2] if len(enclosing) > 1 else None
        if isinstance(owner, ast.ClassDef):
            return any(self._drifts(node, owner.body))
        return (read_keys(node) or written_keys(node)) is not None

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each key that only one of the two knows, where it stands."""
        if not isinstance(node, cst.FunctionDef) or not _counterparts(node.name.value):
            return
        scopes = view.definitions(node.body)
        function = scopes[-1]
        block = scopes[-2].body if len(scopes) > 1 else view.source.tree.body
        if isinstance(function, Function):
            known = _known_elsewhere(view.source.tree, function)
            for key, message in self._drifts(function, block):
                if key not in known:
                    yield Violation(_place(key, node), message)

    def _drifts(self, function: Function, block: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
        names = _counterparts(function.name)
        other = next((f for f in functions_in(block) if f.name in names), None)
        if other is None:
            return
        if _saves(function.name):
            yield from self._unread(written_keys(function), read_keys(other), other.name)
        else:
            yield from _unwritten(read_keys(function), written_keys(other), other.name)

    def _unread(
        self, written: KeyWrite | None, read: KeyRead | None, name: str
    ) -> Iterator[tuple[str, str]]:
        if written is None or read is None or read.is_whole:
            return
        for key in sorted(written.keys - read.keys):
            if re.split(r"\W|_", key)[-1].lower() not in self.options.descriptive:
                yield key, f"writes `{key}`, which `{name}` never reads"


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


def _counterparts(name: str) -> set[str]:
    """Return the names of the functions that load what a function saves, or the other way round."""
    found = {load for save, load in LOADED_BY.items() if save == name}
    found |= {save for save, load in LOADED_BY.items() if load == name}
    for save, load in PREFIXES.items():
        found |= {load + name.removeprefix(save)} if _has_prefix(name, save) else set()
        found |= {save + name.removeprefix(load)} if _has_prefix(name, load) else set()
    return found


def _has_prefix(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}_")


def _known_elsewhere(tree: ast.Module, function: Function) -> set[str]:
    """Return the keys that other code of the file reads, or writes if it is a load that asks."""
    context = ast.Load if _saves(function.name) else ast.Store
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if node is not function:
            pending += children(node)
            found |= {
                key.value
                for key in keys_used(node, context)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
    return found


def _place(key: str, function: cst.FunctionDef) -> cst.CSTNode:
    """Return where a key stands in a function."""
    for node in walk_cst(function.body):
        if isinstance(node, cst.SimpleString) and node.evaluated_value == key:
            return node
        if isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == key:
            return node
    return function.name
