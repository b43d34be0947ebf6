"""Templates loop and print; sorting and counting is Python."""

from __future__ import annotations

import re
from collections.abc import Iterator

from support.source_files import ROOT

FOLDER = ROOT / "esper_audit" / "reports" / "templates"
DOES_MORE = re.compile(
    r"{%-?\s*(set|macro|import|do)\b|\|\s*(sort|groupby|sum|length|count|unique|selectattr|rejectattr|min|max)\b"
)


def logic(name: str, text: str) -> Iterator[str]:
    """Yield the statements and filters of a template that decide something."""
    for match in DOES_MORE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield f"{name}:{line}: {match.group(0)}"


def test_a_template_loops_and_prints() -> None:
    templates = [path for path in sorted(FOLDER.rglob("*")) if path.suffix in (".md", ".html")]
    assert len(templates) >= 4, f"{FOLDER}: {len(templates)} templates; are they elsewhere?"
    found = "\n".join(t for path in templates for t in logic(path.name, path.read_text("utf-8")))
    assert not found, f"sort and count in Python:\n{found}"


def test_a_template_that_sorts_is_reported() -> None:
    text = "{% for a in b %}{{ a }}{% endfor %}\n{% set c = 1 %}{{ b | sort }}\n"
    assert list(logic("t.md", text)) == ["t.md:2: {% set", "t.md:2: | sort"]
