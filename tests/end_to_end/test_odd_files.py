"""An odd file beside a good one: one clear line for the odd one, the good one's finding stays, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import GOOD, Ran, run, write

ASKS = 'hasattr(host, "segments")'
CANDIDATE = f"def ask(host):\n    return {ASKS}\n"
LATIN = f"# café\n{CANDIDATE}".encode("latin-1")
FINE = {
    "an empty file": (b"", []),
    "a file of one comment": (b"# nothing", []),
    "latin-1 that is declared": (b"# coding: latin-1\n" + LATIN, [4]),
    "a declaration behind a long first line": (b"#" * 400 + b"\n# coding: latin-1\n" + LATIN, [5]),
    "a byte order mark": (b"\xef\xbb\xbf" + CANDIDATE.encode(), [2]),
    "a byte order mark before the candidate": (b"\xef\xbb\xbf" + ASKS.encode(), [1]),
    "CRLF": (CANDIDATE.replace("\n", "\r\n").encode(), [2]),
    "CR only": (CANDIDATE.replace("\n", "\r").encode(), [2]),
    "no newline at the end": (CANDIDATE.rstrip("\n").encode(), [2]),
    "tabs": (f"def ask(host):\n\treturn {ASKS}\n".encode(), [2]),
    "a form feed between functions": (f"x = 1\n\f\n{CANDIDATE}".encode(), [4]),
    "a form feed before the candidate": (f"def ask(host):\n\f    return {ASKS}\n".encode(), [2]),
    "a backslash before the candidate": (f"def ask(host):\n    return \\\n        {ASKS}\n".encode(), [3]),
    "a statement behind a backslash": (f"def ask(host):\n    if host: \\\n        {ASKS}\n".encode(), [3]),
    "neighbours on one line": (f"def ask(host):\n    x = 1; y = {ASKS}; z = 2\n".encode(), [2]),
    "the end of a string before it": (f"def ask(host):\n    '''a\n    '''; {ASKS}\n".encode(), [3]),
    "an elif": (f"def ask(host):\n    if host: pass\n    elif {ASKS}: pass\n".encode(), [3]),
    "a decorator": (f"def ask(host):\n    @register({ASKS})\n    def f(): pass\n".encode(), [2]),
    "an except clause": (f"def ask(host):\n    try: pass\n    except kinds({ASKS}): pass\n".encode(), [3]),
    "a match": (f"def ask(host):\n    match host:\n        case _ if {ASKS}: pass\n".encode(), [3]),
    "async code": (f"async def ask(host):\n    async with a({ASKS}): await b\n".encode(), [2]),
    "an f-string": (f"def ask(host):\n    return f'{{{ASKS}}}'\n".encode(), [2]),
    "a lambda as a default": (f"def ask(host, key=lambda host: {ASKS}): pass\n".encode(), [1]),
    "a comprehension": (f"def ask(hosts):\n    return [h for host in hosts if {ASKS}]\n".encode(), [2]),
    "20,000 lines": (("x = 1\n" * 20_000 + CANDIDATE).encode(), [20_002]),
    "150 nested parentheses": (f"def ask(host): return {'(' * 150}{ASKS}{')' * 150}\n".encode(), [1]),
    "a sum of 700 terms": (f"def ask(host): return {ASKS}{' + a' * 700}\n".encode(), [1]),
    "a chain of 300 calls": (f"def ask(host): return {ASKS}{'.b()' * 300}\n".encode(), [1]),
    "a line of a million characters": (f"def ask(host): return '{'a' * 10**6}', {ASKS}\n".encode(), [1]),
    "6,000 statements in a function": ((f"def ask(host):\n    {ASKS}\n" + "    a\n" * 6000).encode(), [2]),
    "3,000 ands": (f"x = {ASKS}{' and a' * 3000}".encode(), [1]),
    "20,000 ands": (f"x = {ASKS}{' and a' * 20_000}".encode(), [1]),
    "a package name of 20,000 parts": (f"if {ASKS}: import a{'.a' * 20_000}".encode(), [1]),
    "a module name of 20,000 parts": (f"if {ASKS}: from a{'.a' * 20_000} import b".encode(), [1]),
    "5,000 strings side by side": ((f"x = {ASKS}, " + "'a' " * 5000).encode(), [1]),
    "1,500 elifs": ((f"if {ASKS}: pass\n" + "elif a: pass\n" * 1500).encode(), [1]),
}  # fmt: skip
ODD = {
    "a syntax error": (b"def f(:\n", "odd.py:1: does not parse: "),
    "bad indentation": (b"if x:\npass\n", "odd.py:2: does not parse: "),
    "latin-1 that is not declared": (LATIN, "odd.py:1: is not utf-8 text: byte 0xe9 at offset 5"),
    "an unknown encoding": (b"# coding: klingon\nx = 1\n", "odd.py: does not parse: "),
    "an encoding that is none for text": (b"# coding: base64\nx = 1\n", "odd.py: does not parse: "),
    "a NUL byte": (b"x = 1\0\n", "odd.py: does not parse: source code cannot contain null bytes"),
    "UTF-16": ("x = 1\n".encode("utf-16"), "odd.py: does not parse: UTF-16 text"),
    "another Python's syntax": (b"except_ = 1\ntry: pass\nexcept A, B: pass\n", "odd.py:3: does not parse: "),
    "5,000 nested parentheses": (f"x = {'(' * 5000}{ASKS}{')' * 5000}".encode(), "odd.py:1: does not parse: too many"),
    "a sum of 3,000 terms": (f"x = {ASKS}{' + a' * 3000}".encode(), "odd.py"),
    "a chain of 3,000 attributes": (f"x = {ASKS}{'.a' * 3000}".encode(), "odd.py"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "lines"), FINE.values(), ids=FINE)
def test_a_file_that_is_unusual_but_fine_is_analysed(
    tmp_path: Path, content: bytes, lines: list[int]
) -> None:
    write(tmp_path, {"good.py": GOOD, "odd.py": content})
    ran = run(tmp_path, "check")
    assert_no_traceback(ran)
    assert ran.status == 1
    assert ran.not_looked_at == []
    assert [place.rsplit(":", 1)[0] for place in ran.places] == [
        "good.py:2",
        *(f"odd.py:{line}" for line in lines),
    ]


@pytest.mark.parametrize(("content", "said"), ODD.values(), ids=ODD)
def test_a_file_that_cannot_be_analysed_costs_one_clear_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    write(tmp_path, {"good.py": GOOD, "odd.py": content})
    ran = run(tmp_path, "check")
    assert_no_traceback(ran)
    assert ran.status == 3
    assert "good.py:2:8" in ran.places
    assert len(ran.not_looked_at) == 1
    assert ran.not_looked_at[0].startswith(said)
    assert len(ran.not_looked_at[0]) < 160


def test_python_3_12_syntax_costs_one_line_or_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": GOOD, "odd.py": "type Pair[T] = tuple[T, T]\nf'{f'{1}'}'\n"})
    ran = run(tmp_path, "check")
    assert_no_traceback(ran)
    assert ran.places == ["good.py:2:8"]
    assert ran.status in (1, 3)
    assert len(ran.not_looked_at) == (ran.status == 3)


def test_files_that_cannot_be_analysed_are_no_crash_without_the_prefilter(tmp_path: Path) -> None:
    odd = {f"odd{number:02}.py": content for number, (content, _) in enumerate(ODD.values())}
    write(tmp_path, {"good.py": GOOD, **odd})
    ran = run(tmp_path, "check", "--no-prefilter")
    assert_no_traceback(ran)
    assert (ran.status, ran.places[0]) == (3, "good.py:2:8")
    assert {line.partition(":")[0] for line in ran.not_looked_at} == set(odd)


def assert_no_traceback(ran: Ran) -> None:
    assert "Traceback" not in ran.out + ran.err
    assert ran.err == ""
