"""A tree that is importable under two names resolves under both; what does not resolve is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import command, write
from support.small_indexes import calls, index_of, the

CORE = "def f(x):\n    return x\n"
USER = "from app.core import f\n\nf(1)\n"
APP = {"app/__init__.py": "", "app/core.py": CORE, "app/user.py": USER}


def below(directory: str, files: dict[str, str]) -> dict[str, str]:
    """Return files moved into a directory."""
    return {f"{directory}/{path}": text for path, text in files.items()}


LAYOUTS = {
    "an empty __init__ above the package": {"src/__init__.py": "", **below("src", APP)},
    "an __init__ with code above the package": {
        "src/__init__.py": "__version__ = '1'\n",
        **below("src", APP),
    },
    "two directories above the package": {
        "a/__init__.py": "",
        "a/python/__init__.py": "",
        **below("a/python", APP),
    },
    "a module, not a package": {
        "lib/__init__.py": "",
        "lib/core.py": CORE,
        "lib/user.py": "import core\nfrom core import f\n\nf(1)\n",
    },
    "a script that runs inside its package": {
        "tool/__init__.py": "",
        "tool/parts/__init__.py": "",
        "tool/parts/core.py": CORE,
        "tool/main.py": "from parts.core import f\n\nf(1)\n",
    },
    "helpers of tests": {
        "tests/__init__.py": "",
        "tests/core.py": CORE,
        "tests/deep/__init__.py": "",
        "tests/deep/test_a.py": "from core import f\n\nf(1)\n",
    },
    "several names in brackets": {
        "src/__init__.py": "",
        **below("src", {**APP, "app/user.py": "from app.core import (  # two\n    f,\n)\nf(1)\n"}),
    },
    "through the package": {
        "src/__init__.py": "",
        **below("src", {**APP, "app/user.py": "from app import core\n\ncore.f(1)\n"}),
    },
    "re-exported by the package": {
        "src/__init__.py": "",
        **below("src", {**APP, "app/__init__.py": "from .core import f\n"}),
        "src/app/user.py": "from app import f\n\nf(1)\n",
    },
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_an_import_without_the_outer_package_is_resolved(files: dict[str, str]) -> None:
    index = index_of(files)
    (call,) = calls(index, "core.f")
    assert call.endswith(" import")
    assert index.references(the(index, "core.f")).is_complete


def test_both_names_of_a_module_are_resolved_and_known() -> None:
    test = "from src.app.core import f\n\n\ndef test_f():\n    f(2)\n"
    files = {"src/__init__.py": "", **below("src", APP), "tests/test_f.py": test}
    index = index_of(files)
    assert calls(index, "app.core.f") == ["src/app/user.py:3 import", "tests/test_f.py:5 import"]
    assert the(index, "src.app.core.f") == the(index, "app.core.f")
    assert the(index, "src.app.core") == the(index, "app.core")
    assert the(index, "src").path == "src/__init__.py"


def test_a_module_is_called_what_most_imports_call_it() -> None:
    files = {"src/__init__.py": "", **below("src", APP)}
    assert the(index_of(files), "core.f").name == "app.core.f"
    other = {f"src/app/u{i}.py": USER.replace("app", "src.app") for i in range(2)}
    assert the(index_of({**files, **other}), "core.f").name == "src.app.core.f"


FOREIGN = {
    "a package outside of that name": {
        "pkg/datasets/__init__.py": "X = 1\n",
        "pkg/a.py": "from datasets import load\n\nload(1)\n",
    },
    "a file that only passes it on": {
        "pkg/datasets/__init__.py": "from datasets import load\n",
        "pkg/a.py": "from datasets import load\n\nload(1)\n",
    },
    "another module of that package": {
        "pkg/datasets/__init__.py": "",
        "pkg/a.py": "from datasets.arrow import load\nimport datasets\n\nload(1)\n",
    },
    "more names outside than inside": {
        "pkg/datasets/__init__.py": "def load(): ...\n",
        "pkg/a.py": "from datasets import load\n",
        "pkg/b.py": "from datasets import Features\n",
    },
    "a module of the standard library": {
        "pkg/json.py": "def loads(): ...\n",
        "pkg/a.py": "from json import loads\n",
    },
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_a_library_with_the_name_of_a_subpackage_stays_outside(files: dict[str, str]) -> None:
    index = index_of({"pkg/__init__.py": "", "pkg/core.py": CORE, **files})
    assert the(index, "core.f").name == "pkg.core.f"
    assert index.store.module_names.find("datasets", "pkg/a.py") is None
    assert index.references(the(index, "core.f")).is_complete


UNRESOLVED = {
    "modules that are not in the tree": {
        "app/__init__.py": "",
        **{f"app/u{i}.py": f"from app.gone{i} import g\n" for i in range(3)},
    },
    "relative ones": {
        "app/__init__.py": "",
        **{f"app/u{i}.py": f"from ..gone{i} import g\nfrom .lost import h\n" for i in range(3)},
    },
    "a package that is called otherwise where it is installed": {
        **{f"u{i}.py": f"from installed.core import f\n\nf({i})\n" for i in range(3)},
    },
}


@pytest.mark.parametrize("files", UNRESOLVED.values(), ids=UNRESOLVED)
def test_a_tree_whose_imports_do_not_resolve_leaves_every_answer_open(
    files: dict[str, str],
) -> None:
    index = index_of({"core.py": CORE, **files})
    answer = index.references(the(index, "core.f"))
    (problem,) = answer.not_looked_at
    assert "imports of this tree's own modules do not resolve" in problem.reason
    assert not index.callers(the(index, "core.f")).is_complete


def test_a_few_imports_that_do_not_resolve_leave_the_answers_complete() -> None:
    users = {f"app/u{i}.py": USER for i in range(12)}
    gone = {"app/a.py": "from app._version import v\nfrom app import _C\nfrom ._C import g\n"}
    index = index_of({**APP, **users, **gone})
    assert index.references(the(index, "core.f")).is_complete


def test_refs_finds_the_callers_below_an_empty_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"pyproject.toml": "", "src/__init__.py": "", **below("src", APP)}
    monkeypatch.chdir(write(tmp_path, files))
    ran = command("refs", "app.core.f", "--no-cache")
    assert ran.status == 0
    assert "Called (1)" in ran.out


def test_refs_states_that_imports_do_not_resolve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = {f"u{i}.py": f"from installed.core import f\n\nf({i})\n" for i in range(3)}
    monkeypatch.chdir(write(tmp_path, {"pyproject.toml": "", "core.py": CORE, **users}))
    ran = command("refs", "core.f", "--no-cache")
    assert ran.status == 3
    assert "3 of 3 imports of this tree's own modules do not resolve" in " ".join(ran.out.split())
