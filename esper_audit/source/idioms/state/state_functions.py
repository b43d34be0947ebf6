"""The names of functions that save a state, and of those that load what they save."""

from __future__ import annotations

from functools import cache

LOADED_BY = {
    "__getstate__": "__setstate__",
    "as_dict": "from_dict",
    "get_extra_state": "set_extra_state",
    "get_state": "set_state",
    "serialize": "deserialize",
    "state_dict": "load_state_dict",
    "to_dict": "from_dict",
    "to_json": "from_json",
}
PREFIXES = {"save": "load", "_save": "_load", "dump": "load", "_dump": "_load"}


def is_saver(name: str) -> bool:
    """Return whether a function saves a state, by its name."""
    return name in LOADED_BY or any(_has_prefix(name, prefix) for prefix in PREFIXES)


@cache
def counterparts(name: str) -> frozenset[str]:
    """Return the names of the functions that load the result of a function, or that save its input."""
    found = {load for save, load in LOADED_BY.items() if save == name}
    found |= {save for save, load in LOADED_BY.items() if load == name}
    for save, load in PREFIXES.items():
        found |= {load + name.removeprefix(save)} if _has_prefix(name, save) else set()
        found |= {save + name.removeprefix(load)} if _has_prefix(name, load) else set()
    return frozenset(found)


def _has_prefix(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}_")
