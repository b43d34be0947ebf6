"""What a finding looked like, as short hashes kept in its ticket, so that it is known again when it has moved."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

CODE_DIGITS = 8
PIECE_DIGITS = 4
EDGE = "-"
MOST_AROUND = 12

Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}$")]
Neighbour = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8}|-)?$")]
Pieces = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{4}( [0-9a-f]{4})*)?$")]


class ContextHash(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The tool's own memory of a finding; every field is a hash, or several with spaces between.

    `code` is what the finding is about, `shape` the same with its variables numbered, `head` that
    without the statements inside it; `names` are the variables in that order and `words` all its words
    (none where there are too many). `statement` is the whole statement around it, `before` and `after`
    the heads of what stands beside that or leads into its block (`-` at an end). `scope` is the function, class or
    module around it and `around` some of the statements in there that say something.
    """

    code: Hash
    shape: Hash
    head: Hash
    names: Pieces = ""
    words: Pieces = ""
    statement: Hash
    before: Neighbour = ""
    after: Neighbour = ""
    scope: Hash
    around: Pieces = ""


def code_hash(text: str) -> str:
    """Return the hash of a piece of code of which much depends."""
    return _hash(text, CODE_DIGITS)


def piece_hash(text: str) -> str:
    """Return the hash of one piece among several."""
    return _hash(text, PIECE_DIGITS)


def _hash(text: str, digits: int) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=digits // 2).hexdigest()
