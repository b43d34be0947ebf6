"""The rule `saved-key-never-read`: a key of a saved state that nothing reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.rule import Options
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.idioms.state.key_places import key_place
from esper_audit.source.idioms.state.state_keys_read import keys_used
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.usage.saved_states import SavedStates, Saver
from esper_audit.source.usage.tree import Tree

KEY_USES = frozenset({ast.Subscript, ast.Compare, ast.Call, ast.MatchMapping})


class SavedKeyNeverReadOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`descriptive`: last words of keys that describe the file and are not meant for the loader."""

    descriptive: frozenset[str] = frozenset(
        {"class", "date", "format", "hash", "kind", "method", "name", "schema", "time", "timestamp"}
        | {"type", "version"}
    )


class SavedKeyNeverRead(TreeRule):
    """A saved state has a key that nothing reads.

    What: a constant key that a function writes to the state that it saves, where the loader of the
    pair (`state_dict` and `load_state_dict`, `save_x` and `load_x` of one class or module) reads
    other keys and no code of the tree reads this one.

    Why: what was saved is lost at the resume. The run starts that part from scratch, and only the
    curves show it.

    Quiet: a loader that passes the state on; a key that any file reads as a subscript, by `get` or
    `in`; keys that documentation or configuration names; keys that describe the file (`version`,
    `class`; option `descriptive`).

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P3
    precision = "1 finding in 18 packages (lightning), a key that is meant for people"
    Options = SavedKeyNeverReadOptions
    options: SavedKeyNeverReadOptions
    VALID = (
        ValidTree(
            "a reader in another file",
            {
                "pkg/run.py": """
                    class Run:
                        def state_dict(self):
                            return {"step": self.step, "score": self.score}

                        def load_state_dict(self, state):
                            self.step = state["step"]
                """,
                "pkg/report.py": """
                    import torch


                    def best(path):
                        return torch.load(path)["score"]
                """,
            },
        ),
        ValidTree(
            "a key that documentation names, and one that describes the file",
            {
                "pkg/run.py": """
                    class Run:
                        def state_dict(self):
                            return {"step": self.step, "score": self.score, "format_version": 2}

                        def load_state_dict(self, state):
                            self.step = state["step"]
                """,
                "README.md": """
                    The checkpoint holds `step` and `score`.
                """,
            },
        ),
        ValidTree(
            "a state that is passed on",
            {
                "pkg/run.py": """
                    class Run:
                        def state_dict(self):
                            return {"step": self.step, "score": self.score}

                        def load_state_dict(self, state):
                            self.__dict__.update(state)
                """,
            },
        ),
    )
    INVALID = (
        InvalidTree(
            "a score that is saved for nothing",
            {
                "pkg/run.py": """
                    class Run:
                        def state_dict(self):
                            state = {"step": self.step}
                            state["score"] = self.score
                            return state

                        def load_state_dict(self, state):
                            self.step = state["step"]


                    def show(state):
                        return {"score": 1}
                """,
            },
            (("pkg/run.py", 4, "writes `score`, which `load_state_dict` and no other code reads"),),
        ),
        InvalidTree(
            "two functions of a module",
            {
                "pkg/files.py": """
                    import torch


                    def save_run(path):
                        torch.save(dict(step=1, seed=2), path)


                    def load_run(path, device):
                        data = torch.load(path)
                        return data["step"]
                """,
            },
            (("pkg/files.py", 5, "writes `seed`, which `load_run` and no other code reads"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report each key that neither the loader of its pair nor any other code reads."""
        pairs = (p for p in SavedStates(tree).beside() if not p.read.is_passed_on)
        for saver, pair in ((saver, p) for p in pairs for saver in p.savers):
            for key in sorted(saver.written.keys - pair.read.keys):
                if not self._is_descriptive(key) and not _is_read(tree, key, saver.symbol):
                    yield _violation(tree, saver, key, pair.loader.short)

    def _is_descriptive(self, key: str) -> bool:
        return re.split(r"\W|_", key)[-1].lower() in self.options.descriptive


def _is_read(tree: Tree, key: str, saver: Symbol) -> bool:
    """Return whether code other than the saver reads a key, or text beside the code names it."""
    word = max(re.findall(r"\w+", key) or [key], key=len)
    if tree.text_mentions.has_beside(word, in_prose=True):
        return True
    return any(_is_read_in(tree, path, key, saver) for path in tree.index.store.paths_with(word))


def _is_read_in(tree: Tree, path: str, key: str, saver: Symbol) -> bool:
    source = tree.source(path)
    nodes = scan(source.tree, KEY_USES) if source is not None else []
    used = (
        k
        for n in nodes
        for k in (n.keys if isinstance(n, ast.MatchMapping) else keys_used(n, ast.Load))
    )
    places = (k.lineno for k in used if isinstance(k, ast.Constant) and k.value == key)
    return any(path != saver.path or not saver.line <= line <= saver.end_line for line in places)


def _violation(tree: Tree, saver: Saver, key: str, loader: str) -> TreeViolation:
    message = f"writes `{key}`, which `{loader}` and no other code reads"
    function = tree.function(saver.symbol)
    place = key_place(key, function) if function is not None else None
    if place is None:
        return tree.at_symbol(saver.symbol, message)
    return tree.at_node(saver.symbol.path, place, message, subject=saver.symbol.symbol)
