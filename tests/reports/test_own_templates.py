"""An error in a template of one's own names the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.markdown_forms import form, read

from esper_audit.findings.errors import ConfigError
from esper_audit.reports.pages import Reports


@pytest.mark.parametrize(
    ("text", "line"),
    [("# a\n{{ x\n", 2), ("# a\n\n{{ nothing.at_all }}\n", 3), ("# a\n{% fro x %}\n", 2)],
    ids=["syntax", "an undefined name", "an unknown tag"],
)
def test_an_error_in_an_own_template_has_its_place(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "ticket.md").write_text(text)
    with pytest.raises(ConfigError, match=rf"{tmp_path}/ticket\.md:{line}: "):
        Reports("", str(tmp_path)).render_ticket(read(form()))
