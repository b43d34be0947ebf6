"""The kinds of claims there are: each file in `claims/` holds one, and is named for it."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Union

from esper_audit.claims.claim import Claim
from esper_audit.project.submodules import last_part, submodules


@cache
def discover_kinds() -> dict[str, type[Claim]]:
    """Return every kind of claim by its name."""
    modules = submodules("esper_audit.claims.kinds")
    return {last_part(module): _kind_of(importlib.import_module(module)) for module in modules}


def _kind_of(module: ModuleType) -> type[Claim]:
    values = vars(module).values()
    classes = [v for v in values if isinstance(v, type) and issubclass(v, Claim)]
    (kind,) = (one for one in classes if one.__module__ == module.__name__)
    return kind


if TYPE_CHECKING:
    AnyClaim = Claim
else:  # what msgspec reads and describes in the JSON Schema: told apart by `kind`
    AnyClaim = Union[tuple(discover_kinds().values())]  # noqa: UP007  # the kinds are not known here
