"""The kinds of claims there are: each file in `claims/` holds one, and is named for it."""

from __future__ import annotations

import importlib
import os
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Union

from esper_audit.claim import Claim


@cache
def discover_kinds() -> dict[str, type[Claim]]:
    """Return every kind of claim by its name."""
    shelf = os.path.join(os.path.dirname(__file__), "claims")
    files = sorted(os.listdir(shelf))
    names = [f.removesuffix(".py") for f in files if f.endswith(".py") and f != "__init__.py"]
    return {name: _kind_of(importlib.import_module(f"esper_audit.claims.{name}")) for name in names}


def _kind_of(module: ModuleType) -> type[Claim]:
    values = vars(module).values()
    classes = [v for v in values if isinstance(v, type) and issubclass(v, Claim)]
    (kind,) = (one for one in classes if one.__module__ == module.__name__)
    return kind


if TYPE_CHECKING:
    AnyClaim = Claim
else:  # what msgspec reads and describes in the JSON Schema: told apart by `kind`
    AnyClaim = Union[tuple(discover_kinds().values())]  # noqa: UP007  # the kinds are not known here
