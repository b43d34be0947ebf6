"""The two public modules: their names resolve, they import nothing heavy, and published code uses no others."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.probed_project import SUBJECTS
from support.public_names import imports_in, private_imports

import esper_audit
import esper_audit.subject

ROOT = Path(__file__).parents[2]
FACES = (esper_audit, esper_audit.subject)
NAMES = [(face, name) for face in FACES for name in face.HOMES]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SUBJECT_FILES = [
    *sorted((ROOT / "tests" / "subjects").glob("*.py")),
    *sorted((ROOT / "tests" / "esper_ref_promises").glob("*.py")),
    ROOT / "tests" / "support" / "own_subjects.py",
    ROOT / "tests" / "support" / "third_party_subjects.py",
    ROOT / "benchmarks" / "real_blocks.py",
]
TYPE_CHECKING = "TYPE_CHECKING"

every_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)


def declared_imports(face: ModuleType) -> dict[str, str]:
    """Return the names that a public module imports for type checkers, with their modules."""
    tree = ast.parse(Path(f"{face.__file__}").read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == TYPE_CHECKING
    )
    return {
        alias.asname or alias.name: f"{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize(
    ("face", "name"), NAMES, ids=[f"{face.__name__}.{name}" for face, name in NAMES]
)
def test_every_public_name_resolves_to_what_its_module_defines(face: ModuleType, name: str) -> None:
    if face is esper_audit.subject and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is an extra")
    home = importlib.import_module(face.HOMES[name])
    value = getattr(face, name)
    assert value is (home if home.__name__.endswith(f".{name}") else vars(home)[name])


@every_face
def test_type_checkers_see_exactly_the_public_names(face: ModuleType) -> None:
    modules = {
        name: home.removesuffix(f".{name}") if name == "cst" else home
        for name, home in face.HOMES.items()
    }
    assert declared_imports(face) == modules


@every_face
def test_dir_lists_the_public_names(face: ModuleType) -> None:
    assert dir(face) == sorted(face.HOMES)


@every_face
def test_a_name_that_is_not_public_raises(face: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'no_such_name'"):
        _ = face.no_such_name


@every_face
def test_a_public_module_imports_neither_torch_nor_libcst(face: ModuleType) -> None:
    program = (
        f"import sys, {face.__name__} as face; dir(face);"
        "print(sorted({'torch', 'libcst', 'numpy', 'msgspec'} & set(sys.modules)))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert completed.stdout == "[]\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_imports_public_names_only(page: Path) -> None:
    assert private_imports(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", SUBJECT_FILES, ids=lambda file: file.name)
def test_a_subjects_file_imports_public_names_only(file: Path) -> None:
    assert private_imports(file.read_text(encoding="utf-8")) == []


def test_the_subjects_of_the_probed_project_import_public_names_only() -> None:
    assert private_imports(SUBJECTS) == []


def test_the_search_for_imports_finds_them() -> None:
    """A search that finds nothing would pass every test above."""
    public = "    from esper_audit.subject import (\n        Draw, promise,\n    )\nimport esper_audit.subject\n"
    quoted = "  | from esper_audit.subject import (\n  |     Draw, redraw,\n  | )\n"
    private = (
        "from esper_audit.probes.probe import Probe\nfrom esper_audit.subject import Draw, absent\n"
        "import sys; import esper_audit.cli\n"
    )
    assert private_imports(public + quoted) == []
    assert private_imports(private) == [
        "esper_audit.probes.probe:Probe",
        "esper_audit.subject:absent",
        "esper_audit.cli:",
    ]
    assert sum(len(list(imports_in(page.read_text("utf-8")))) for page in PAGES) >= 20
    assert all(list(imports_in(file.read_text("utf-8"))) for file in SUBJECT_FILES[-3:])
