"""Draws docs/check.svg: what `esper-audit check` prints about the README's own example, as a terminal shows it."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from esper_audit.engine.pipeline import CheckRequest, check
from esper_audit.project.config import find_project
from esper_audit.reports.formats.text import styled_audit
from esper_audit.rules.catalogue import CheckCatalogue

HERE = Path(__file__).parent
EXAMPLE = re.compile(r"`valve.py`:\n\n```python\n(.*?)```", re.DOTALL)
WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
COLUMNS = 88


def main() -> None:
    """Write the picture; the same README and rules give the same bytes."""
    example = EXAMPLE.search((HERE.parent / "README.md").read_text(encoding="utf-8"))
    if example is None:
        raise SystemExit("README.md holds no example called `valve.py`")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "valve.py").write_text(example[1], encoding="utf-8")
        Path(directory, "esper-audit.toml").touch()
        project = find_project([directory])
        audit = check(project, CheckRequest(today="2026-01-01", cache=False))
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
        for piece in styled_audit(audit, CheckCatalogue.of_project(project)):
            console.print(Text(piece.text, style=piece.style), end="", soft_wrap=True)
    picture = console.export_svg(title="esper-audit check", unique_id="check")
    (HERE / "check.svg").write_text(WEB_FONT.sub("", picture), encoding="utf-8")


if __name__ == "__main__":
    main()
