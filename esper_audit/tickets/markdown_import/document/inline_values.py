"""Single values of a form: removing markup, comparing words, finding dates and ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

Meaning = TypeVar("Meaning")


def words(text: str) -> str:
    """Return the words of a text in lower case, separated by spaces, to compare spellings."""
    plain = text.lower().replace("'", "").replace("’", "")
    return " ".join(re.sub(r"[\W_]+", " ", plain).split())


def name_set(listed: str) -> frozenset[str]:
    """Return the names of a comma-separated list, normalised by `words`."""
    return frozenset(words(name) for name in listed.split(","))


def by_name(table: Mapping[Meaning, str]) -> dict[str, Meaning]:
    """Return the key of each name in a table of comma-separated names."""
    return {name: meaning for meaning, listed in table.items() for name in name_set(listed)}


WRAPPERS = ("**", "__", "*", "_", "~~")
CODE = re.compile(r"(`+)(?!`)(?P<code>.+?)(?<!`)\1(?!`)")
DATE = re.compile(r"(?<!\d)(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")
# Three parts (`B3-DRL-02`), or two of which the first is a word (`BUG-12`).
TICKET_ID = re.compile(
    r"[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*-\d+[a-z]?|[A-Z]{2,}-\d+[a-z]?"
)
ANY_TICKET_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MARKED_ID = re.compile(rf"[\[*_`]*(?P<id>{TICKET_ID.pattern})[\]*_`]*(?:\([^)]*\))?")
# In code marks an id may be any file name.
CODE_ID = re.compile(r"(?:\*\*|\[)?`(?P<id>[A-Za-z][\w.]*-[\w.-]*\w)`(?:\*\*|\](?:\([^)]*\))?)?")
EMPTY_VALUES = name_set("none, n a, na, nil, nothing, none identified, none known, none found") | {
    ""
}


def without_markup(text: str) -> str:
    """Return a value without the emphasis and the code marks around it, also without half of a mark."""
    text = without_stray_mark(text.strip())
    while True:
        inner = _unwrapped(text)
        if inner == text:
            return text
        text = inner


def _unwrapped(text: str) -> str:
    code = CODE.fullmatch(text)
    if code:
        inner = code["code"]
        padded = inner[:1] == inner[-1:] == " " and inner.strip()
        return inner[1:-1] if padded else inner
    for mark in WRAPPERS:
        inner = text[len(mark) : -len(mark)]
        if text.startswith(mark) and text.endswith(mark) and inner.strip() and mark not in inner:
            return inner.strip()
    return text


def without_stray_mark(text: str) -> str:
    """Return a value without a `**` at its beginning or end that is the only one."""
    stripped = text.strip()
    if text.count("**") != 1 or stripped == "**":
        return text
    if stripped.endswith("**"):
        return stripped.removesuffix("**").rstrip()
    return stripped.removeprefix("**").lstrip() if stripped.startswith("**") else text


def one_line(text: str) -> str:
    """Return a text on one line, as in a cell of a table."""
    return " ".join(text.split())


def is_empty_value(text: str) -> bool:
    """Return whether a value is empty, or a word such as `none`."""
    return not text.strip() or (words(text) or text) in EMPTY_VALUES


def date_in(text: str) -> str:
    """Return the first ISO date of a text, empty without one."""
    found = DATE.search(text)
    return found[1] if found else ""


def split_leading_ids(text: str) -> tuple[list[str], str]:
    """Return the ticket ids at the beginning of a text, and the text after them."""
    found: list[str] = []
    rest = text.strip()
    while True:
        match = CODE_ID.match(rest) or MARKED_ID.match(rest)
        if match is None or re.match(r"\w", rest[match.end() :]):
            return found, rest
        found.append(match["id"])
        rest = rest[match.end() :]
        joined = re.match(r"\s*(?:,|/|&|and)\s*(?=[\[*_`]*[A-Za-z])", rest)
        after = rest[joined.end() :] if joined else ""
        if not (CODE_ID.match(after) or MARKED_ID.match(after)):
            return found, rest
        rest = after
