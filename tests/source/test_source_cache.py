"""How many syntax trees whole-program rules keep, and the text of files whose tree was dropped."""

from __future__ import annotations

import ast
import weakref
from pathlib import Path

import pytest
from support.audit_runs import TODAY, write

from esper_audit.engine.tree_engine import TreeResult, check_tree
from esper_audit.findings.finding import NotAnalysed, Span
from esper_audit.project.config import Project, find_project
from esper_audit.project.workers.parallel import collector_off
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.source.index import resolver
from esper_audit.source.index.index import open_index
from esper_audit.source.syntax.source import Source, parse
from esper_audit.source.usage import source_cache
from esper_audit.source.usage.source_cache import SourceCache
from esper_audit.source.usage.tree import Tree

RULES = RuleRegistry().tree_rules
FILES = 24
MODULE = """
try:
    import torch
except ImportError:
    torch = None

LIMIT_{0} = 12345.678
SHARED_LIMIT = 98765.432


class Part{0}:
    def __init__(self, size, unused=None):
        self.size = size
        self._kept = {2}

    def run(self, flag=True):
        value = getattr(self, f"run_{{self.size}}")
        if flag is None:
            return "text_{0}"
        total = 98765.432
        total += value
        total -= self.size
        total *= LIMIT_{0}
        total += max(total, 1)
        total -= min(total, 2)
        total += abs(total)
        return total


def helper_{0}(x, mode="fast"):
    Part{1}(x).run(None)
    return None if mode is None else x
"""


def numbered(number: int) -> str:
    """Return a module that uses the next one. Every other constructor calls one, as long chains are rare."""
    after = (number + 1) % FILES
    made = f"Part{after}(size)" if number % 2 else "size"
    return f"from .m{after} import Part{after}\n{MODULE.format(number, after, made)}"


class LiveTrees:
    """Counts the files of which any node is alive at each parse; `peak` is the largest number."""

    def __init__(self) -> None:
        self.peak = 0
        self.parses: dict[str, int] = {}
        self._nodes: dict[int, weakref.WeakSet[ast.AST]] = {}

    def parse(self, path: str, data: bytes) -> Source | NotAnalysed:
        parsed = parse(path, data)
        assert isinstance(parsed, Source)
        own = (node for node in ast.walk(parsed.tree) if not isinstance(node, SHARED))
        self._nodes[len(self._nodes)] = weakref.WeakSet(own)
        self.parses[path] = self.parses.get(path, 0) + 1
        self.peak = max(self.peak, sum(len(nodes) > 0 for nodes in self._nodes.values()))
        return parsed


# One object stands for all nodes of these kinds.
SHARED = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)


@pytest.fixture
def live_trees(monkeypatch: pytest.MonkeyPatch) -> LiveTrees:
    counted = LiveTrees()
    monkeypatch.setattr(source_cache, "parse", counted.parse)
    return counted


def checked(root: Path, names: list[str], most_lines: int) -> TreeResult:
    """Run rules on a package of equal modules, with a cache of that many lines."""
    files = {f"pkg/m{n}.py": numbered(n) for n in range(FILES)}
    write(root, {"pyproject.toml": "", "pkg/__init__.py": "from .m0 import Part0\n", **files})
    index = open_index(Project(str(root), find_project([str(root)]).config), cache=False)
    suppressor = Suppressor((), today=TODAY, known=RULES, authorised_words={})
    rules = [RULES[name](RULES[name].Options()) for name in names]
    scope = {path: set(names) for path in index.store.paths}
    return check_tree(Tree(str(root), index, most_lines), rules, suppressor, scope)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_keeps_no_more_trees_than_the_cache(
    tmp_path: Path, live_trees: LiveTrees, name: str
) -> None:
    with collector_off():
        checked(tmp_path, [name], most_lines=4 * 38)
    assert live_trees.peak <= 6, f"{live_trees.peak} trees were alive"


def test_the_findings_do_not_depend_on_the_size_of_the_cache(tmp_path: Path) -> None:
    every = checked(tmp_path, sorted(RULES), most_lines=10**6)
    assert len(every.findings) > FILES
    assert checked(tmp_path, sorted(RULES), most_lines=1) == every


def test_a_large_cache_parses_each_file_once(tmp_path: Path, live_trees: LiveTrees) -> None:
    checked(tmp_path, sorted(RULES), most_lines=10**6)
    assert set(live_trees.parses.values()) == {1}


@pytest.mark.parametrize(("files", "peak"), [(5, 5), (9, 2)])
def test_a_tree_that_does_not_fit_is_kept_in_part(
    tmp_path: Path, live_trees: LiveTrees, files: int, peak: int
) -> None:
    texts = {f"m{number}.py": "x = 1\n" * 8 for number in range(files)}
    index = open_index(find_project([str(write(tmp_path, texts))]), cache=False)
    tree = Tree(str(tmp_path), index, most_lines=80)
    with collector_off():
        for path in (*texts, *texts):
            tree.source(path)
    assert live_trees.peak == peak
    assert set(live_trees.parses.values()) == {1 if peak == files else 2}


TEXTS = ["a = 1\nbé = [\n    2,\n]\n", "a = 1\r\nbé = [\r\n    2,\r\n]", "a = 1\rbé = [\r2]\r"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("parsed_first", [True, False])
def test_a_segment_is_that_of_the_standard_library(text: str, parsed_first: bool) -> None:
    cache = SourceCache({"a.py": text.encode()}.get)
    if parsed_first:
        cache.source("a.py")
    node = ast.parse(text).body[1]
    assert node.end_lineno is not None
    end = len(text.splitlines()[node.end_lineno - 1])
    span = Span(node.lineno, 0, node.end_lineno, end)
    assert cache.segment("a.py", span) == ast.get_source_segment(text, node)


def test_the_findings_do_not_depend_on_how_many_answers_are_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = checked(tmp_path, sorted(RULES), most_lines=10**6)
    monkeypatch.setattr(resolver, "MOST_CACHED", 1)
    assert checked(tmp_path, sorted(RULES), most_lines=10**6) == every
