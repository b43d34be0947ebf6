"""The context hash of a finding: short hashes, kept in its ticket, by which it is recognised after a move."""

from __future__ import annotations

from typing import Annotated

import msgspec

CODE_DIGITS = 8
SHORT_DIGITS = 4
EDGE = "-"
MAX_CONTEXT_HASHES = 12

Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}$")]
Neighbour = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8}|-)?$")]
ShortHashes = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{4}( [0-9a-f]{4})*)?$")]


class ContextHash(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The hashes of a finding's code and context, the key `likeness` of its ticket.

    Every field is one hash, or several separated by spaces:

    - `code`: the code of the finding.
    - `shape`: the code with its variables numbered.
    - `head`: the shape without the statements inside it.
    - `names`: its variables, in the order of their numbers.
    - `words`: its other names and literals, sorted; empty if there are too many.
    - `statement`: the enclosing statement.
    - `before`, `after`: the heads of its neighbours in the block, or the lead of the block (`-` at an end).
    - `scope`: the enclosing function, class or module.
    - `around`: a sample of the clauses of the scope.
    """

    code: Hash
    shape: Hash
    head: Hash
    names: ShortHashes = ""
    words: ShortHashes = ""
    statement: Hash
    before: Neighbour = ""
    after: Neighbour = ""
    scope: Hash
    around: ShortHashes = ""


def code_hash(text: str) -> str:
    """Return the hash of code, 8 hex digits."""
    return _hash(text, CODE_DIGITS)


def short_hash(text: str) -> str:
    """Return the hash of one name or clause among several, 4 hex digits."""
    return _hash(text, SHORT_DIGITS)


def _hash(text: str, digits: int) -> str:
    data = text.encode("utf-8", "surrogatepass")
    import hashlib  # it loads OpenSSL, for tickets alone

    return hashlib.blake2b(data, digest_size=digits // 2).hexdigest()
