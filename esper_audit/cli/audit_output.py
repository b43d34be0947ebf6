"""The output of `check` and `probe`: an audit in one of the output formats."""

from __future__ import annotations

import importlib

from esper_audit.cli.screen import is_terminal, paint
from esper_audit.findings.audit import Audit
from esper_audit.rules.catalogue import CheckCatalogue


def render_audit(audit: Audit, catalogue: CheckCatalogue, style: str) -> str:
    """Return an audit in the output format `style`.

    Text is coloured on a terminal.
    """
    output_format = importlib.import_module(f"esper_audit.reports.formats.{style}")
    if style == "text" and is_terminal():
        return paint(output_format.styled_audit(audit, catalogue))
    text: str = output_format.render(audit, catalogue)
    return text
