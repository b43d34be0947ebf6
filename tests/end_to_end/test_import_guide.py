"""The guide to importing shows the real output of its commands and the real list of lints.

`python tests/end_to_end/test_import_guide.py` writes the real output into the guide.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from test_readme import CONSOLE, run_block

from esper_audit.workflow.lint import LINTS, first_sentence

GUIDE = Path(__file__).parents[2] / "docs" / "importing-tickets.md"
FILE = re.compile(r"`(?P<name>[\w.]+)`:\n\n```markdown\n(?P<text>.*?)```", re.DOTALL)


def real(guide: str) -> str:
    """Return the guide with the output that its commands have now."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "esper-audit.toml").touch()
        for file in FILE.finditer(guide):
            (directory / file["name"]).write_text(file["text"], encoding="utf-8")
        return CONSOLE.sub(lambda block: f"```console\n{run_block(block[1], directory)}```", guide)


def test_the_guide_prints_what_the_commands_print() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert "$ esper-audit ticket import" in guide
    assert real(guide) == guide


def test_the_guide_lists_every_lint() -> None:
    rows = [f"| `{name}` | {first_sentence(name)} |" for name in LINTS]
    assert "\n".join(rows) in GUIDE.read_text(encoding="utf-8")


if __name__ == "__main__":
    GUIDE.write_text(real(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
