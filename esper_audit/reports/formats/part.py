"""Output for `esper-audit merge`: the whole audit of a part of the work, which only this version reads."""

from __future__ import annotations

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import UsageError
from esper_audit.project.distribution import version
from esper_audit.rules.catalogue import CheckCatalogue


class Part(msgspec.Struct, frozen=True):
    """An audit with the version of this package that made it."""

    version: str
    audit: Audit


def render(audit: Audit, _: CheckCatalogue) -> str:
    """Return the audit without what only caches need."""
    portable = msgspec.structs.replace(audit, root="", files_read=[], directories_listed=[])
    return msgspec.json.encode(Part(version(), portable)).decode() + "\n"


def read_part(file: str) -> Audit:
    """Return the audit of a part.

    Raises:
        UsageError: the file is no part, or one of another version.
    """
    with open(file, "rb") as stream:
        data = stream.read()
    try:
        part = msgspec.json.decode(data, type=Part)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{file}: no part of an audit ({error}). Write it with `--format part`."
        ) from error
    if part.version != version():
        raise UsageError(
            f"{file}: made by another version (got {part.version}, expected {version()})."
        )
    return part.audit
