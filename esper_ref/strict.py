"""Reading what was written: exactly the keys that belong there, or an error that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_ref.errors import CheckpointKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable


def require_keys(where: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """Refuse a missing key and an unknown one alike: a default for either would be a guess."""
    there, needed = set(found), set(wanted)
    missing, unknown = sorted(needed - there), sorted(there - needed)
    if missing or unknown:
        raise CheckpointKeyError(
            f"{where}: missing keys {missing}, unknown keys {unknown}; "
            "it was not written by this version of the library, or is damaged"
        )
