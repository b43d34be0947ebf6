"""Recognising locations in words: files, lines and symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.inline_values import (
    CODE,
    one_line,
    without_markup,
)
from esper_audit.tickets.markdown_import.terms.paths import FILE, PLACE, PathMap
from esper_audit.tickets.parts import TicketLocation

# Numbers that name lines: not part of a word, a version or an amount (`2 functions`).
RANGE = re.compile(
    r"(?<![\w.#/])L?(\d+)(?:\s*(?:[-–—]|to)\s*L?(\d+))?(?![\w.%/])(?!\s+(?!(?:and|to|or)\b)[A-Za-z])"
)
SYMBOL = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*(?:\(.*\))?")
MENTIONED = re.compile(r"[\w~./\\-]*\w\.[A-Za-z]\w{0,4}(?=[\s:#,;)\]]|$)")
LIKE_CODE = re.compile(r"[._(]|[a-z][A-Z]")  # distinguishes a name in code from a word
PLACE_ITEM = re.compile(
    r"(?P<tick>`+)(?P<place>.+?)(?P=tick)(?:\s+(?P<tock>`+)(?P<symbol>.+?)(?P=tock))?(?P<rest>.*)",
    re.DOTALL,
)


class LocationCells(msgspec.Struct, frozen=True):
    """The cells of a form for files, lines and symbols."""

    files: str = ""
    lines: str = ""
    symbols: str = ""


def places_of(cells: LocationCells, paths: PathMap) -> list[TicketLocation]:
    """Return the locations in the cells of a form, none without a file.

    Lines belong to the file that they name. Otherwise one file has a location for each symbol, and several
    files have one symbol or range each if there are as many, else each file has all lines.
    """
    found = files_in(cells.files)
    symbols = symbols_in(cells.symbols)
    named = lines_by_file(cells.lines, [path for path, _, _ in found])
    if named:
        found = [(path, named.pop(path, lines), own) for path, lines, own in found]
        found += [(path, lines, "") for path, lines in named.items()]
        ranges = []
    else:
        ranges = ranges_in(cells.lines)
    if len(found) == 1:
        found = found * max(1, len(symbols))
    each_range = ranges if len(ranges) == len(found) > 1 else [", ".join(ranges)] * len(found)
    each_symbol = symbols if len(symbols) == len(found) else [""] * len(found)
    if len(symbols) == 1:
        each_symbol = symbols * len(found)
    return [
        TicketLocation(path=paths.here(path), symbol=own or symbol, lines=lines or shared)
        for (path, lines, own), symbol, shared in zip(found, each_symbol, each_range, strict=True)
    ]


def lines_by_file(cell: str, files: Sequence[str]) -> dict[str, str]:
    """Return the lines of each file that a cell of lines names, nothing if it names none.

    A file is named before its lines (`valve.py: 12-19`) or in brackets behind them (`12-19 (valve.py)`).
    """
    text = cell.replace("`", "").replace("**", "")
    mentions = [match for match in MENTIONED.finditer(text) if _is_file_name(match[0], files)]
    found: dict[str, list[str]] = {}
    for match in RANGE.finditer(MENTIONED.sub(lambda m: "_" * len(m[0]), text)) if mentions else ():
        before = [one for one in mentions if one.end() <= match.start()]
        behind = [one for one in mentions if one.start() >= match.end()]
        bracketed = behind and re.fullmatch(
            r"\s*[(\[]\s*(?:in )?", text[match.end() : behind[0].start()]
        )
        if not (bracketed or before):
            return {}
        name = (behind[0] if bracketed else before[-1])[0]
        same = [path for path in files if _is_tail(name, path)] or [name]
        lines = f"{match[1]}-{match[2]}" if match[2] else match[1]
        found.setdefault(same[0], []).append(lines)
    return {path: ", ".join(lines) for path, lines in found.items()}


def _is_file_name(name: str, files: Sequence[str]) -> bool:
    return name.endswith(".py") or any(_is_tail(name, path) for path in files)


def _is_tail(name: str, path: str) -> bool:
    return f"/{path}".endswith(f"/{name}")


def listed_place(text: str, paths: PathMap) -> TicketLocation | None:
    """Return the location of an item (`path:lines` `symbol` - note), None if it does not begin with a path."""
    match = PLACE_ITEM.match(text.strip())
    head = match["place"] if match else text.split()[0].rstrip(":,") if text.strip() else ""
    found = files_in(f"`{head}`") if FILE.match(head) else []
    if len(found) != 1:
        return None
    path, lines, symbol = found[0]
    rest = match["rest"] if match else text.strip()[len(head) :]
    named = match["symbol"] if match and match["symbol"] else symbol
    if match and match["symbol"] and not SYMBOL.fullmatch(match["symbol"]):
        named, rest = symbol, f"`{match['symbol']}`{rest}"
    note = re.sub(r"^\s*(?:[-–—:]\s*)?", "", rest)
    return TicketLocation(
        path=paths.here(path), symbol=_without_call(named), lines=lines, note=one_line(note)
    )


def place_text(place: TicketLocation) -> str:
    """Return the text of a location as an item of a list."""
    where = f"`{place.path}:{place.lines}`" if place.lines else f"`{place.path}`"
    symbol = f" `{place.symbol}`" if place.symbol else ""
    return where + symbol + (f" - {place.note}" if place.note else "")


def files_in(cell: str) -> list[tuple[str, str, str]]:
    """Return path, lines and symbol of each file in a cell."""
    marked = [match["code"].strip() for match in CODE.finditer(cell)]
    tokens = marked or re.split(r"[\s,;]+|<br\s*/?>", without_markup(cell))
    found = []
    for token in tokens:
        match = PLACE.fullmatch(token.strip("()[]*"))
        if match and FILE.fullmatch(match["path"]):
            lines = ", ".join(ranges_in(match["lines"] or ""))
            found.append((match["path"], lines, match["symbol"] or ""))
    return found


def ranges_in(cell: str) -> list[str]:
    """Return the line numbers and ranges in a cell, only those in code marks if there are any."""
    marked = [match["code"] for match in CODE.finditer(cell)]
    numbered = [text for text in marked if RANGE.search(text)]
    found = [match for text in numbered or [CODE.sub(" ", cell)] for match in RANGE.finditer(text)]
    return [f"{m[1]}-{m[2]}" if m[2] else m[1] for m in found]


def symbols_in(cell: str) -> list[str]:
    """Return the dotted names in a cell, in code marks or as its only words."""
    marked = [match["code"].strip() for match in CODE.finditer(cell)]
    tokens = marked or re.split(r"\s*,\s*", without_markup(cell))
    named = [token for token in tokens if SYMBOL.fullmatch(token)]
    if not marked and not all(SYMBOL.fullmatch(t) and LIKE_CODE.search(t) for t in tokens):
        return []
    return [_without_call(token) for token in named]


def is_covered_by(cell: str, *texts: str) -> bool:
    """Return whether a cell equals one of the texts, apart from code marks, spaces and call brackets."""
    return _plain(cell) in {_plain(text) for text in texts}


def _plain(text: str) -> str:
    return re.sub(r"[`\s*]|\(\)", "", text)


def _without_call(symbol: str) -> str:
    return symbol.partition("(")[0]
