"""Suggestions for mistyped words, and shortened code."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 72
MOST_KNOWN = 30


def quoted(code: str) -> str:
    """Return code on one line.

    The middle of more than LONGEST characters is left out.
    """
    line = " ".join(code.split())
    if len(line) <= LONGEST:
        return line
    half = (LONGEST - 3) // 2
    return f"{line[:half]}...{line[-half:]}"


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known word, empty where none is near."""
    from difflib import get_close_matches

    close = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known word, else the known words where they are not many."""
    words = sorted(known)
    if hint := nearest_word(word, words):
        return hint
    if len(words) > MOST_KNOWN:
        return f"; {len(words)} are known, and none is like it"
    return f"; known: {', '.join(words)}" if words else ""
