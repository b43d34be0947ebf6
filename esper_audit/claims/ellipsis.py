"""Text of a claim in which `...` stands for something left out: its parts."""

from __future__ import annotations

import re

GAP = "..."
WORD = re.compile(r"\w+")
# A line that marks an omission: nothing but the dots, or the dots at the end of a list of arguments.
OMISSION = re.compile(r"\s*(#\s*)?(\.{3}|…)\s*|.*,\s*(\.{3}|…)\s*[)\]}].*")


def code_parts(code: str) -> list[str]:
    """Return the parts of quoted code between the lines that mark an omission, without empty ones."""
    parts: list[list[str]] = [[]]
    for line in code.splitlines():
        if OMISSION.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line.rstrip())
    stripped = ("\n".join(part).strip("\n") for part in parts)
    return [part for part in stripped if part.strip()]


def phrase_parts(phrase: str) -> list[list[str]]:
    """Return the words of a phrase, case folded, in parts between its gaps, without empty ones."""
    parts = [[word.casefold() for word in WORD.findall(part)] for part in phrase.split(GAP)]
    return [part for part in parts if part]
