"""The installed distribution: its version, and where its documentation is."""

from __future__ import annotations

from functools import cache

NAME = "esper-audit"
# Where no address is configured at build time: the placeholder that README uses as well.
UNKNOWN_HOME = "https://example.org/esper-audit"


def version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import version as installed_version

    return installed_version(NAME)


@cache
def home_page() -> str:
    """Return the address of the documentation, by the metadata of the distribution."""
    from importlib.metadata import metadata

    addresses: dict[str, str] = {}
    for entry in metadata(NAME).get_all("Project-URL") or []:
        label, _, address = entry.partition(", ")
        addresses[label.lower()] = address.rstrip("/")
    known = (addresses.get(label) for label in ("documentation", "homepage", "repository"))
    return next((address for address in known if address), UNKNOWN_HOME)


def check_page(check: str) -> str:
    """Return the address of the page of a check."""
    return f"{home_page()}/checks/{check}/"
