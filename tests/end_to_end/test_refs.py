"""`esper-audit refs` lists callers, references and tests of a symbol, and files not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import command, write

TREE = {
    "pyproject.toml": "[tool.esper-audit]\n",
    "lib/__init__.py": "from lib.blend import blend\n",
    "lib/blend.py": "def blend(host, *, seed=None):\n    return host\n",
    "lib/use.py": "from lib.blend import blend\n\n\ndef go(h, o, **more):\n    blend(h, seed=None)\n"
    "    blend(h, **more)\n    o.blend(h)\n    return map(blend, h)\n",
    "tests/test_blend.py": "from lib.blend import blend\nfrom lib.use import go\n\n\n"
    "def test_it():\n    blend(1)\n\n\ndef test_go():\n    go(1, 2)\n",
}
SHOWN = """\
function lib.blend.blend
  lib/blend.py:1
  exported by lib

Called (4: 1 passes seed, 2 omit it, 1 may forward it)
  lib/use.py
       5  go                                 passes None
       6  go                                 may forward
       7  go                                 omits, by name only
  tests/test_blend.py (test)
       6  test_it                            omits

Read (1)
  lib/use.py
       8  go

Imported or exported (3)
  lib/__init__.py
       1  (module)                           import
  lib/use.py
       1  (module)                           import
  tests/test_blend.py (test)
       1  (module)                           import

Named by tests (1)
  tests/test_blend.py:6 test_it

Reached by tests through other code (1)
  tests/test_blend.py (1) through lib.use.go
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write(tmp_path, TREE))
    return tmp_path


def test_it_fits_a_terminal_and_tells_everything(tree: Path) -> None:
    ran = command("refs", "blend", "--argument", "seed")
    assert (ran.status, ran.out) == (0, SHOWN)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_program_gets_the_same_as_json(tree: Path) -> None:
    ran = command("refs", "lib.blend.blend", "--argument", "seed", "--format", "json")
    listing = json.loads(ran.out)
    assert [caller["passing"] for caller in listing["callers"]] == [
        "passes",
        "may-forward",
        "omits",
        "omits",
    ]
    assert [test["through"] for test in listing["tests"]] == [["lib.use.go"], []]


def test_what_was_not_looked_at_is_said_and_is_status_3(tree: Path) -> None:
    write(tree, {"bad.py": "def (blend\n", "worse.py": "def (\n"})
    ran = command("refs", "blend")
    assert ran.status == 3
    assert "Not looked at (there may be more references)\n  bad.py:1: does not parse" in ran.out
    assert "worse.py" not in ran.out


def test_a_name_that_nothing_defines_is_shown_where_it_is_used(tree: Path) -> None:
    write(tree, {"lib/more.py": "def f(spec):\n    spec.estimate = 1\n    return spec.estimate\n"})
    ran = command("refs", "estimate")
    assert ran.status == 0
    assert ran.out == (
        "estimate: not defined in this project; these places use the name\n\n"
        "Read (1)\n  lib/more.py\n       3  f                                  by name only\n\n"
        "Written (1)\n  lib/more.py\n       2  f                                  write, by name only\n"
    )


def test_a_name_that_no_file_uses_announces_no_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"bad.py": "def (nothing\n"})
    monkeypatch.chdir(tmp_path)
    ran = command("refs", "nothing")
    assert ran.status == 3
    assert ran.out.startswith(
        "nothing: neither defined nor used in a file that was read\n\nNot looked"
    )


WRONG = {
    ("blen",): "no symbol 'blen' in this project; did you mean 'blend'?",
    ("blend", "--argument", "sed"): "'blend' has no parameter 'sed'; did you mean 'seed'?",
    (
        "both",
    ): "'both' is ambiguous: 2 symbols have this name. Give one of these:\n  a.py:both\n  b.py:C.both",
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.items())
def test_a_question_that_has_no_answer_is_status_2(
    tree: Path, arguments: tuple[str, ...], message: str
) -> None:
    write(tree, {"a.py": "def both(): ...\n", "b.py": "class C:\n    def both(self): ...\n"})
    ran = command("refs", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_one_of_several_is_asked_for_by_its_file(tree: Path) -> None:
    write(tree, {"a.py": "def both(): ...\n", "b.py": "class C:\n    def both(self): ...\n"})
    assert command("refs", "b.py:C.both").out.startswith("method b.C.both\n  b.py:2\n")


def test_nothing_is_imported_of_what_is_asked_about(tree: Path) -> None:
    write(tree, {"lib/blend.py": "open('ran', 'w')\n" + TREE["lib/blend.py"]})
    assert command("refs", "blend").status == 0
    assert not (tree / "ran").exists()
