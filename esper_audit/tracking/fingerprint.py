"""The fingerprint of a finding, which edits elsewhere in the file, comments and formatting do not change."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.tracking.normal_form import NormalFormWriter, parse_fragments

FINGERPRINT_DIGITS = 16


def normalised_code(code: str) -> str:
    """Return the normal form of `code`, for code that does not parse its words."""
    for fragment in parse_fragments(code):
        try:
            return NormalFormWriter().write(fragment.module)
        except RecursionError:
            continue
    return " ".join(code.split())


def fingerprint(*, check: str, path: str, symbol: str, code: str, ordinal: int) -> str:
    """Return the fingerprint of a finding, 16 hex digits of a hash of its arguments.

    `ordinal` numbers the findings of a file that are equal in all the rest, from 0.
    """
    return _digest(check, path, symbol, normalised_code(code), str(ordinal))


def _digest(*parts: str) -> str:
    import hashlib  # it loads OpenSSL, for findings alone

    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[
        :FINGERPRINT_DIGITS
    ]


def assign_fingerprints(found: Iterable[tuple[Finding, str]]) -> list[Finding]:
    """Return the findings of a file with their fingerprints, sorted.

    `found` are pairs of a finding and its code.
    """
    counts: dict[tuple[str, str, str], int] = {}
    identified = []
    for finding, code in sorted(found, key=lambda pair: pair[0].order):
        location = finding.location
        key = (finding.check, location.symbol, normalised_code(code))
        ordinal = counts.get(key, 0)
        counts[key] = ordinal + 1
        identity = _digest(finding.check, location.path, *key[1:], str(ordinal))
        identified.append(msgspec.structs.replace(finding, fingerprint=identity))
    return identified
