"""The cache of the outcomes of files, and what decides an outcome beside the content of its file."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.project.config import Project
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import content_digest, engine_fingerprint


def open_outcomes(
    project: Project, chosen: Sequence[object], *, enabled: bool
) -> ContentCache[FileOutcome]:
    """Return the cached outcomes of the same engine, configuration, local rules and `chosen` checks."""
    config = msgspec.json.encode([project.config, *chosen], order="sorted")
    local = (os.fsencode(f"{path}\0{_digest_of(path)}") for path in project.local_rules)
    made_by = engine_fingerprint([config, *local])
    return ContentCache(project.root, "files", made_by, FileOutcome, enabled=enabled)


def _digest_of(path: str) -> str:
    with open(path, "rb") as file:
        return content_digest(file.read()).hex()
