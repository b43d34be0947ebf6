"""What the tests of a tree reach, as the audit of a whole project reports it."""

from __future__ import annotations

from pathlib import Path

from support.audit_runs import write

from esper_audit.engine.pipeline import CheckRequest, check
from esper_audit.project.config import find_project


def test_public_code_that_no_test_reaches_is_named_by_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "lib/__init__.py": "",
            "lib/a.py": "def used():\n    return inner()\n\n\ndef inner():\n    return 1\n\n\n"
            "def lonely():\n    return 2\n\n\nclass Alone:\n    def method(self):\n        return 3\n",
            "tests/test_a.py": "from lib.a import used\n\n\ndef test_used():\n    assert used() == 1\n",
        },
    )
    request = CheckRequest(whole=True, impact=True, cache=False, today="2026-01-02")
    (package,) = check(find_project([str(tmp_path)]), request).tested
    assert (package.folder, package.public, package.reached) == ("lib", 4, 2)
    assert [(one.symbol, one.line) for one in package.untested] == [("lonely", 9), ("Alone", 13)]
