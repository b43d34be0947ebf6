"""The rule `checkpoint-key-drift`: a loader asks for a key that the saver never writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache, partial

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import checkpoint_key_drift_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.state.key_places import key_place
from esper_audit.source.idioms.state.state_functions import counterparts, is_saver
from esper_audit.source.idioms.state.state_keys_read import KeyRead, keys_used, read_keys
from esper_audit.source.idioms.state.state_keys_written import KeyWrite, written_keys
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import functions_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

KEY_USES: frozenset[type[ast.expr]] = frozenset({ast.Subscript, ast.Dict, ast.Compare, ast.Call})
PARTS = frozenset({"save", "load", "dump", "state", "_dict", "serialize", "_json"})
"""Substrings of which the names of these functions contain at least one."""


class CheckpointKeyDrift(Rule):
    """A loader asks for a key that the saver of the same state never writes.

    What: the constant keys that one function of a pair reads and the other does not write:
    `state_dict` and `load_state_dict`, `get_extra_state`, `to_dict`, `__getstate__`, `save_x` and
    `load_x` of one class or module. The loader requires the key, or has a default for it. A key that
    is written and never read is another rule (`saved-key-never-read`), which reads the whole tree.

    Why: a checkpoint that loads without an error has lost the values under the other name. The
    resumed run starts that part from scratch, and only the curves show it.

    Quiet: a function whose dict is not completely known (`**`, a computed key, the result of
    `super()`, `update` with another object); a key that other code of the file writes; a key with
    handled absence (`if "k" in state`, `setdefault`, `state.get("j") or state["k"]`, an `if` on the
    result of `get`: a migration); one of several files saved by a function whose keys are not known.

    Off unless selected: a reader or saver of another class or file has the key.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = "0 of 16 in 89 packages before mending on them (fifteen of one pattern of deepmd-kit), no finding since"
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), parts=PARTS)
    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions that load by their names."""
        return [n for n in nodes if isinstance(n, Function) and _is_loader(n.name)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each key of a loader that its saver lacks, at the key."""
        if not isinstance(node, Function) or not _is_loader(node.name):
            return
        scopes = file.definitions(node)
        names = counterparts(node.name)
        block = scopes[-1].body if scopes else file.tree.body
        saver = next((f for f in functions_in(block) if f.name in names), None)
        if saver is None:
            return
        keys = file.once(_KeyTable)
        missing = list(_unwritten(keys.read(node), keys.written(saver), saver.name))
        known = _keys_written_elsewhere(file, node) if missing else set()
        for key, message in missing:
            if key not in known:
                yield Violation(key_place(key, node) or file.name_span(node), message)


class _KeyTable:
    """The keys that functions of a file read and write, each computed once."""

    def __init__(self, _: FileView) -> None:
        self.read = cache(read_keys)
        self.written = cache(partial(written_keys, with_several=True))


def _unwritten(
    read: KeyRead | None, written: KeyWrite | None, name: str
) -> Iterator[tuple[str, str]]:
    if written is None or read is None or written.is_open:
        return
    for key in sorted(read.keys - read.handled - written.keys):
        verb = "requires" if key in read.required else "has a default for"
        yield key, f"{verb} `{key}`, which `{name}` never writes"


def _is_loader(name: str) -> bool:
    return not is_saver(name) and bool(counterparts(name))


def _keys_written_elsewhere(file: FileView, function: Function) -> set[str]:
    """Return the keys that other code of the file writes to a dict."""
    own = set(scan(function, KEY_USES))
    return {
        key.value
        for kind in KEY_USES
        for node in file.nodes(kind)
        if node not in own
        for key in keys_used(node, ast.Store)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
