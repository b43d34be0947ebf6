"""Which finding is this? A fingerprint that edits elsewhere in the file, comments and formatting leave alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.tracking.normal_form import Writer, pieces

FINGERPRINT_DIGITS = 16


def normalised_code(code: str) -> str:
    """Return `code` without comments, layout and spelling of literals; unparsable code by its words."""
    for piece in pieces(code):
        try:
            return Writer().write(piece.module)
        except RecursionError:
            continue
    return " ".join(code.split())


def fingerprint(*, check: str, path: str, symbol: str, code: str, ordinal: int) -> str:
    """Return the identity of a finding: hex digits of check, path, symbol, normalised code, ordinal.

    `ordinal` tells apart findings that agree in all the rest: 0 for the first in the file, 1 for the
    second, and so on.
    """
    return _digest(check, path, symbol, normalised_code(code), str(ordinal))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[
        :FINGERPRINT_DIGITS
    ]


def with_identity(found: Iterable[tuple[Finding, str]]) -> list[Finding]:
    """Give each finding of a file, paired with the code it is about, its fingerprint; sorted by place."""
    seen: dict[tuple[str, str, str], int] = {}
    identified = []
    for finding, code in sorted(found, key=lambda pair: pair[0].order):
        location = finding.location
        key = (finding.check, location.symbol, normalised_code(code))
        ordinal = seen.get(key, 0)
        seen[key] = ordinal + 1
        identity = _digest(finding.check, location.path, *key[1:], str(ordinal))
        identified.append(msgspec.structs.replace(finding, fingerprint=identity))
    return identified
