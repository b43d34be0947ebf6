"""Which finding is this? A fingerprint that edits elsewhere in the file, comments and formatting leave alone."""

from __future__ import annotations

import ast
import hashlib
import textwrap
from collections.abc import Iterable, Iterator

import msgspec

from esper_audit.finding import Finding

FINGERPRINT_DIGITS = 16


def normalised_code(code: str) -> str:
    """Return `code` without comments, layout and spelling of literals; unparsable code by its words."""
    for text in _framed(code):
        try:
            return _written(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return " ".join(code.split())


def _written(value: object) -> str:
    """Write a tree so that every Python version writes it alike: `ast.dump` does not, from 3.13 on."""
    if isinstance(value, ast.expr_context):
        return ""
    if isinstance(value, ast.AST):
        parts = ((field, _written(part)) for field, part in sorted(ast.iter_fields(value)))
        return (
            f"{type(value).__name__}({', '.join(f'{name}={text}' for name, text in parts if text)})"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]" if value else ""
    return "" if value is None else repr(value)


def _framed(code: str) -> Iterator[str]:
    """Yield modules that may hold a piece of code: an expression, statements, a clause, an argument."""
    alone = textwrap.dedent(code)
    yield f"({code}\n)"
    yield alone
    yield f"try:\n    pass\n{alone}\n"
    yield f"if 1:\n    pass\n{alone}\n"
    yield f"match 1:\n{textwrap.indent(alone, '    ')}\n"
    yield f"f({code}\n)"


def fingerprint(*, check: str, path: str, symbol: str, code: str, ordinal: int) -> str:
    """Return the identity of a finding: hex digits of check, path, symbol, normalised code, ordinal.

    `ordinal` tells apart findings that agree in all the rest: 0 for the first in the file, 1 for the
    second, and so on.
    """
    parts = (check, path, symbol, normalised_code(code), str(ordinal))
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
        identity = fingerprint(
            check=finding.check,
            path=location.path,
            symbol=location.symbol,
            code=code,
            ordinal=ordinal,
        )
        identified.append(msgspec.structs.replace(finding, fingerprint=identity))
    return identified
