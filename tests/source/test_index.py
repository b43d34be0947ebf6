"""What the index answers: what calls pass, who reads under a path, which tests reach, what could not be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import write
from support.small_indexes import calls, index_of, reads, the

from esper_audit.project.config import find_project
from esper_audit.source.index.index import open_index

F = "def f(host, alpha=1, *, seed=None):\n    return host\n"


def passes(call: str, definition: str = F, name: str = "f", argument: str = "seed") -> str:
    """Return what the index says a call passes."""
    index = index_of({"a.py": f"{definition}\n\n{call}\n"})
    (caller,) = index.callers(the(index, name), argument).items
    return f"{caller.passing} {caller.value}".strip()


PASSING = {
    "f(1, seed=u)": "passes",
    "f(1, seed=None)": "passes None",
    "f(1)": "omits",
    "f(1, 2)": "omits",
    "f(*xs)": "omits",
    "f(1, **kwargs)": "may-forward",
    "f(1, seed=u, **kwargs)": "passes",
}


@pytest.mark.parametrize(("call", "said"), PASSING.items())
def test_a_keyword_only_argument_is_passed_by_name_alone(call: str, said: str) -> None:
    assert passes(call) == said


BY_POSITION = {
    "f(1, 2)": "passes 2",
    "f(1)": "omits",
    "f(1, alpha=3)": "passes 3",
    "f(*xs)": "may-forward",
    "f(1, *xs)": "may-forward",
    "f(1, 2, *xs)": "passes 2",
    "f(**kw)": "may-forward",
    "functools.partial(f, 1)": "may-forward",
    "functools.partial(f, 1, 2)": "passes 2",
}


@pytest.mark.parametrize(("call", "said"), BY_POSITION.items())
def test_positional_arguments_are_counted_against_the_signature(call: str, said: str) -> None:
    assert passes(call, argument="alpha") == said


METHOD = "class C:\n    def m(self, x, y=1): ...\n    @staticmethod\n    def s(x, y=1): ...\n"
METHOD += "    @classmethod\n    def k(cls, x, y=1): ...\n\ndef g(c: C, u): ...\n"
METHODS = {
    "C().m(1)": ("C.m", "omits"),
    "C().m(1, 2)": ("C.m", "passes 2"),
    "C.m(c, 1)": ("C.m", "omits"),
    "C.m(c, 1, 2)": ("C.m", "passes 2"),
    "C.s(1, 2)": ("C.s", "passes 2"),
    "C().s(1)": ("C.s", "omits"),
    "C.k(1)": ("C.k", "omits"),
    "C.k(1, 2)": ("C.k", "passes 2"),
}


@pytest.mark.parametrize(("call", "expected"), METHODS.items())
def test_self_and_cls_are_not_counted(call: str, expected: tuple[str, str]) -> None:
    name, said = expected
    assert passes(call, METHOD, name, "y") == said


CONSTRUCTORS = {
    "class C:\n    def __init__(self, x, y=1): ...\n": "passes 2",
    "class B:\n    def __init__(self, x, y=1): ...\n\nclass C(B): ...\n": "passes 2",
    "from dataclasses import dataclass\n\n@dataclass\nclass C:\n    x: int\n    y: int = 1\n": "passes 2",
    "from typing import NamedTuple\n\nclass C(NamedTuple):\n    x: int\n    y: int = 1\n": "passes 2",
    "from outside import B\n\nclass C(B): ...\n": "may-forward",
}


@pytest.mark.parametrize(("definition", "said"), CONSTRUCTORS.items())
def test_calling_a_class_fills_its_constructor_or_its_fields(definition: str, said: str) -> None:
    assert passes("C(1, 2)", definition, "C", "y") == said


def test_a_field_of_the_class_itself_is_no_argument() -> None:
    source = (
        "from dataclasses import dataclass\nfrom typing import ClassVar\n\n@dataclass\nclass C:\n"
    )
    assert (
        passes("C(1)", f"{source}    n: ClassVar[int] = 0\n    x: int = 1\n", "C", "x")
        == "passes 1"
    )


READERS = {
    "lib/a.py": "class P:\n    estimate = 1\n",
    "lib/train/b.py": "def f(x):\n    x.estimate = 2\n    del x.estimate\n    return x\n",
    "lib/select/c.py": "def f(x, d):\n    return x.estimate, d['estimate'], getattr(x, 'estimate')\n",
}


def test_writing_is_not_reading_and_a_path_limits_the_question() -> None:
    index = index_of(READERS)
    assert reads(index, "estimate") == [f"lib/select/c.py:2 {how}" for how in ("name",) * 3]
    assert index.readers("estimate", under="lib/train").items == []
    assert len(index.readers("estimate", outside="lib/train").items) == 3
    assert index.readers("estimate", outside="lib/select").items == []


def test_a_path_may_be_a_package() -> None:
    index = index_of({**READERS, "lib/__init__.py": "", "lib/select/__init__.py": ""})
    assert len(index.readers("estimate", under="lib.select").items) == 3
    assert index.readers("estimate", under="lib.selec").items == []


def test_a_file_that_does_not_parse_is_named_where_it_holds_the_word() -> None:
    index = index_of({**READERS, "bad.py": "def (estimate\n", "worse.py": "def (\n"})
    answer = index.readers("estimate")
    assert [problem.path for problem in answer.not_looked_at] == ["bad.py"]
    assert not answer.is_complete
    assert index.readers("estimate", under="lib").is_complete
    assert [p.path for p in index.references(the(index, "P.estimate")).not_looked_at] == ["bad.py"]


def test_a_file_that_cannot_be_read_leaves_every_answer_open(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": F, "big.py": b"#" * (16 * 2**20 + 1), "pyproject.toml": "[project]\n"})
    index = open_index(find_project([str(tmp_path)]), cache=False)
    (symbol,) = index.symbols("f")
    assert [problem.path for problem in index.callers(symbol).not_looked_at] == ["big.py"]


def test_code_nested_too_deeply_is_named_and_the_rest_is_read() -> None:
    deep = "x = " + " + ".join(["f"] * 30_000) + "\n"
    index = index_of({"a.py": F, "deep.py": deep, "b.py": "from a import f\n\nf(1)\n"})
    answer = index.callers(the(index, "f"))
    assert [problem.path for problem in answer.not_looked_at] == ["deep.py"]
    assert len(answer.items) == 1


def test_only_files_that_hold_the_word_are_parsed() -> None:
    index = index_of({"a.py": F, "b.py": "from a import f\n\nf(1)\n", "c.py": "g = 1\n"})
    the(index, "f")
    assert index.store.module("b.py") is not None
    assert "c.py" not in index.store.loaded_paths


TESTED = {
    "lib.py": "def inner(): ...\n\ndef middle():\n    inner()\n\ndef outer():\n    middle()\n\n"
    "def alone(): ...\n\nTABLE = {'a': alone}\n\ndef look():\n    return TABLE\n",
    "tests/helper.py": "from lib import middle\n\ndef go():\n    middle()\n",
    "tests/conftest.py": "import pytest\nfrom lib import outer\n\n@pytest.fixture\ndef made():\n    outer()\n",
    "tests/test_a.py": "from helper import go\nfrom lib import inner, look\n\n"
    "def test_direct():\n    inner()\n\ndef test_by_helper():\n    go()\n\n"
    "def test_by_fixture(made): ...\n\ndef test_table():\n    look()\n\ndef test_nothing(): ...\n",
}


def reached(name: str) -> dict[str, list[str]]:
    index = index_of(TESTED)
    return {test.symbol: test.through for test in index.tests(the(index, name)).items}


def test_tests_reach_by_name_by_helpers_by_fixtures_and_through_production_code() -> None:
    assert reached("lib.inner") == {
        "test_direct": [],
        "test_by_helper": ["helper.go", "lib.middle"],
        "test_by_fixture": ["conftest.made", "lib.outer", "lib.middle"],
    }
    assert reached("lib.middle") == {
        "test_by_helper": ["helper.go"],
        "test_by_fixture": ["conftest.made", "lib.outer"],
    }


def test_a_test_that_calls_the_same_name_on_an_unknown_object_counts_on_demand_only() -> None:
    files = {
        "lib.py": "class A:\n    def run(self): ...\n",
        "tests/test_a.py": "def test_run(tool):\n    tool.run()\n",
    }
    index = index_of(files)
    symbol = the(index, "lib.A.run")
    assert index.tests(symbol).items == []
    assert [t.symbol for t in index.tests(symbol, by_name=True).items] == ["test_run"]
    both = "from lib import A\n\ndef test_run(tool):\n    tool.run()\n    A().run()\n"
    index = index_of({**files, "tests/test_a.py": both})
    assert [t.symbol for t in index.tests(the(index, "lib.A.run")).items] == ["test_run"]


def test_a_table_of_functions_leads_to_those_who_look_into_it() -> None:
    assert reached("lib.alone") == {"test_table": ["lib.look", "lib.TABLE"]}


def test_an_import_alone_is_no_test() -> None:
    files = {
        "lib.py": "def f(): ...\n",
        "tests/test_a.py": "from lib import f\n\ndef test(): ...\n",
    }
    index = index_of(files)
    assert index.tests(the(index, "lib.f")).items == []


def test_what_is_exported_says_by_whom() -> None:
    files = {
        "p/__init__.py": "from .a import f\nfrom p import b\n",
        "p/a.py": "__all__ = ['g']\ndef f(): ...\ndef g(): ...\ndef h(): ...\n",
        "p/b.py": "from p.a import h\n__all__ = []\n__all__ += ['h']\n",
    }
    index = index_of(files)
    offered = {name: index.exported(the(index, f"p.a.{name}")) for name in "fgh"}
    assert offered == {"f": ["p"], "g": ["p.a"], "h": ["p.b"]}


def test_a_name_with_several_meanings_gives_them_all_and_an_exact_one_alone() -> None:
    index = index_of({"a.py": "def f(): ...\n", "b.py": "class C:\n    def f(self): ...\n"})
    assert [symbol.name for symbol in index.symbols("f")] == ["a.f", "b.C.f"]
    assert [symbol.name for symbol in index.symbols("C.f")] == ["b.C.f"]
    assert [symbol.name for symbol in index.symbols("a.f")] == ["a.f"]
    assert [symbol.name for symbol in index.symbols("b.py:C.f")] == ["b.C.f"]
    assert index.symbols("nobody") == []


def test_the_kinds_of_classes_are_told_through_bases_and_aliases() -> None:
    source = (
        "import enum\nfrom abc import ABC, abstractmethod\nfrom dataclasses import dataclass as data\n"
        "from typing import NamedTuple, Protocol, TypedDict\n\n"
        "class P: ...\n@data\nclass D: ...\nclass N(NamedTuple): ...\nclass T(TypedDict): ...\n"
        "class E(enum.Enum): ...\nclass F(E): ...\nclass R(Protocol): ...\nclass S(R): ...\n"
        "class A(ABC): ...\nclass B:\n    @abstractmethod\n    def f(self): ...\n"
    )
    index = index_of({"a.py": source})
    kinds = {name: str(the(index, f"a.{name}").class_kind) for name in "PDNTEFRSAB"}
    assert kinds == {
        "P": "plain",
        "D": "dataclass",
        "N": "named-tuple",
        "T": "typed-dict",
        "E": "enum",
        "F": "enum",
        "R": "protocol",
        "S": "plain",
        "A": "abstract",
        "B": "abstract",
    }


def test_roles_come_from_the_path_and_can_be_configured(tmp_path: Path) -> None:
    files = {
        f"{folder}use{n}.py": "from a import f\n\nf(1)\n"
        for n, folder in enumerate(["", "tests/", "scripts/", "examples/", "experiments/"])
    }
    configuration = '[tool.esper-audit.roles]\nscript = ["scripts/", "experiments/"]\n'
    write(tmp_path, {"a.py": F, **files, "pyproject.toml": configuration})
    index = open_index(find_project([str(tmp_path)]), cache=False)
    callers = index.callers(the(index, "a.f")).items
    roles = {caller.place.path: str(caller.place.role) for caller in callers}
    assert roles == {
        "use0.py": "production",
        "tests/use1.py": "test",
        "scripts/use2.py": "script",
        "examples/use3.py": "example",
        "experiments/use4.py": "script",
    }


def test_unread_parameters_are_told_and_nested_reads_count() -> None:
    source = "def f(a, b, c, d):\n    def g():\n        return b\n    return [a for c in g()]\n"
    index = index_of({"a.py": source})
    definition = index.definition(the(index, "a.f"))
    assert {p.name: p.read for p in definition.parameters} == {
        "a": True,
        "b": True,
        "c": False,
        "d": False,
    }


def test_reading_everything_first_changes_no_answer() -> None:
    names = ["lib.inner", "lib.middle", "lib.outer", "lib.alone", "lib.TABLE", "lib.look"]
    whole, asked = index_of(TESTED), index_of(TESTED)
    whole.prepare()
    for name in names:
        assert whole.references(the(whole, name)) == asked.references(the(asked, name))


def test_the_index_counts_this_repository_right() -> None:
    index = open_index(find_project([str(Path(__file__))]), cache=False)
    assert [
        c.partition(" ")[2] for c in calls(index, "esper_audit.source.syntax.enclosing.symbol_of")
    ] == ["import"] * 4
