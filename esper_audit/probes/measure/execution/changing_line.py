"""The line of a module's own code at which a setting of the process changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from esper_audit.probes.measure.execution.process_settings import process_settings
from esper_audit.probes.measure.execution.raising_lines import lines_of_caller


def changing_line(setting: str, action: Callable[[], object]) -> str:
    """Run an action, and return `package/file.py:12`, the line after whose call a setting is another.

    Lines of callers in the module's own code come first. Empty if the setting stays as it is.
    """
    before = process_settings()[setting]
    found: list[str] = []

    def look(_frame: FrameType, event: str, _argument: object) -> None:
        if not found and "return" in event and process_settings()[setting] != before:
            found.append(lines_of_caller())

    sys.setprofile(look)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found[0] if found else ""
