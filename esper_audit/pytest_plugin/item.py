"""A pytest item that fails with sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

DESELECTED = pytest.StashKey[set[str]]()  # names of items that `-k` and its like left out


class ContractBroken(Exception):
    """Carries what is to be said from an item to its report."""


class AuditItem(pytest.Item):
    """An item that fails with sentences, not with a traceback."""

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Return the findings, or the error that kept the audit from running."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return what the item is called in reports."""
        return self.path, None, f"esper-audit: {self.name}"
