"""Code in a triple-quoted string that is indented like the Python around it."""

from __future__ import annotations

import re

START = re.compile(r"\n+( +)")


def dedent_block(text: str) -> str:
    """Return the code of a triple-quoted block, without its first line break and its indentation.

    The indentation is that of the first line of code. Text that does not begin with a line break
    and an indented line is no block and is returned unchanged: it is already exact.
    """
    start = START.match(text)
    if start is None:
        return text
    return text.replace(f"\n{start[1]}", "\n").removeprefix("\n").rstrip(" ")
