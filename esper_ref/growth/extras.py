"""Packages that only growing needs, and one sentence for each that is missing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from esper_ref.errors import EsperRefError

if TYPE_CHECKING:
    from types import ModuleType

PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "rich": "rich"}


class MissingExtraError(EsperRefError, ImportError):
    """A package that this part of growing needs is not installed."""


def require_extra(module: str, needed_for: str) -> ModuleType:
    """Return an imported module, or raise MissingExtraError with the command that installs it."""
    package = PACKAGES[module.split(".")[0]]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{needed_for} needs {package}; install it with: pip install {package}"
        ) from error
