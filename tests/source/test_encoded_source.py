"""A file whose code is encoded data is not looked at, which is not clean."""

from __future__ import annotations

import base64

import pytest

from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.syntax.source import Source, parse

CODE = b"x = 1\n" * 400
ENCODED = base64.b64encode(CODE).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"from runtime import guard\n__guard__(__name__, __file__, {CODE!r})\n",
        f"import base64\nexec(base64.b64decode({ENCODED!r}))\n",
        f'import base64\nexec(base64.b64decode("""\n{ENCODED}\n"""))\n',
    ],
    ids=["a guard", "exec", "exec of several lines"],
)
def test_encoded_code_is_not_looked_at(text: str) -> None:
    answer = parse("guarded.py", text.encode())
    assert isinstance(answer, NotAnalysed)
    assert "encoded data" in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        f"TABLE = {ENCODED!r}\n",
        f'"""{ENCODED}"""\nimport torch\n',
        f"print({ENCODED[:500]!r})\n",
        f"register({ENCODED[:1200]!r})\n" + "".join(f"def f{i}(): pass\n" for i in range(40)),
    ],
    ids=["a table", "a docstring", "a short text", "a text beside code"],
)
def test_a_long_text_beside_code_is_looked_at(text: str) -> None:
    assert isinstance(parse("plain.py", text.encode()), Source)
