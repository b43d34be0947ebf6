"""The modules of a package are listed from its folders, without importing them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.audit_runs import write

from esper_audit.project.submodules import PACKAGE, last_part, submodules


def test_modules_of_the_package_and_its_sub_packages_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "shelf/rules/__init__.py": "",
            "shelf/rules/zebra.py": "raise AssertionError('imported')\n",
            "shelf/rules/family/__init__.py": "",
            "shelf/rules/family/apple.py": "",
            "shelf/rules/family/deep/mango.py": "",
            "shelf/rules/notes.txt": "",
            "shelf/other.py": "",
        },
    )
    assert submodules("shelf.rules", str(tmp_path)) == [
        "shelf.rules.family.apple",
        "shelf.rules.family.deep.mango",
        "shelf.rules.zebra",
    ]


def test_a_package_without_modules_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"shelf/__init__.py": "", "shelf/family/__init__.py": ""})
    with pytest.raises(AssertionError, match="no module"):
        submodules("shelf", str(tmp_path))
    with pytest.raises(AssertionError, match="no module"):
        submodules("missing", str(tmp_path))


def test_the_modules_of_this_package_are_found_without_importing_them() -> None:
    before = set(sys.modules)
    found = submodules("esper_audit")
    assert set(sys.modules) == before
    assert {"esper_audit.project.submodules", "esper_audit.cli.check"} <= set(found)
    assert len(found) == len(set(found)) > 100
    assert Path(PACKAGE).name == "esper_audit"


def test_the_last_part_is_the_name_of_the_module() -> None:
    assert last_part("a.b.c") == "c"
    assert last_part("a") == "a"
