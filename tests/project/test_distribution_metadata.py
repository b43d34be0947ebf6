"""What the package index shows: a page without relative links, and the metadata that people search by."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from support.doc_pages import LINK, page
from support.source_files import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_page_of_the_index_has_no_link_that_leads_nowhere_there() -> None:
    text = page(PROJECT["readme"])
    assert not LINK.findall(text)
    assert "](#" not in text
    assert len(text.splitlines()) < 60


def test_authors_keywords_classifiers_and_addresses_are_there() -> None:
    assert PROJECT["authors"]
    assert len(PROJECT["keywords"]) >= 5
    assert {"Homepage", "Documentation", "Source", "Changelog"} <= set(PROJECT["urls"])
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_every_extra_for_users_is_on_the_page_on_installing() -> None:
    text = page("docs/installing.md")
    missing = {name for name in PROJECT["optional-dependencies"] if f"| `{name}` |" not in text}
    assert missing == {"test", "dev"}


def test_the_version_is_in_one_place() -> None:
    version = f'"{PROJECT["version"]}"'
    files = [*Path(ROOT / "esper_audit").rglob("*.py"), *Path(ROOT / "esper_ref").rglob("*.py")]
    assert len(files) > 300
    assert not [file for file in files if f"version = {version}" in file.read_text("utf-8")]
