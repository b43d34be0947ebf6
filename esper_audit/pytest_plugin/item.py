"""The base class of the plugin's items, which fail with a message instead of a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

DESELECTED = pytest.StashKey[set[str]]()  # names of items that `-k` and similar options deselected


def is_requested(config: pytest.Config, nodeid: str) -> bool:
    """Return whether the command line names an item of a node by its id."""
    return any(argument.startswith(f"{nodeid}::") for argument in config.args)


class ContractBroken(Exception):
    """A contract is broken.

    The message becomes the report of the item.
    """


class AuditItem(pytest.Item):
    """An item that fails with a message instead of a traceback."""

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Return the message of the exception."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the path and the name of the item in reports."""
        return self.path, None, f"esper-audit: {self.name}"
