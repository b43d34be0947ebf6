"""The installed distribution: its version, and where its documentation is."""

from __future__ import annotations

from functools import cache

NAME = "esper-audit"


def version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import version as installed_version

    return installed_version(NAME)


@cache
def home_page() -> str:
    """Return the address of the documentation in the metadata of the distribution, empty without one."""
    from importlib.metadata import metadata

    entries = metadata(NAME).get_all("Project-URL") or []
    addresses = [entry.partition(", ") for entry in entries]
    known = (address for label, _, address in addresses if label == "Documentation")
    return next(known, "").rstrip("/")


def check_page(check: str) -> str:
    """Return the address of the page of a check, empty where the documentation has none."""
    return f"{home_page()}/checks/{check}/" if home_page() else ""
