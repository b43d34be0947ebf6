"""Links from a page to the source that it is about."""

from __future__ import annotations

from urllib.parse import quote

from esper_audit.findings.finding import Location, first_of_lines
from esper_audit.text.markdown import code


class SourceLinks:
    """Markdown links from the pages in a folder to files of the project.

    `to_root` is the way from that folder to the root of the project, with slashes.
    """

    def __init__(self, to_root: str) -> None:
        self._to_root = to_root

    def place(self, location: Location) -> str:
        """Return a link to the first line of a location, followed by its symbol."""
        line = self.line(location.path, location.line)
        return f"{line} {code(location.symbol)}" if location.symbol else line

    def line(self, path: str, line: int) -> str:
        """Return a link to a line."""
        return f"[{code(f'{path}:{line}')}]({self.target(path, line)})"

    def number(self, path: str, line: int) -> str:
        """Return a link to a line whose text is its number alone."""
        return f"[{line}]({self.target(path, line)})"

    def symbol(self, path: str, line: int, symbol: str) -> str:
        """Return a link to the definition of a symbol whose text is its name."""
        return f"[{code(symbol)}]({self.target(path, line)})"

    def file(self, path: str, lines: str = "") -> str:
        """Return a link to a file, at the first of `lines` (`12-15, 20`) if there are any."""
        shown = code(f"{path}:{lines}" if lines else path)
        return f"[{shown}]({self.target(path, first_of_lines(lines))})"

    def target(self, path: str, line: int = 0) -> str:
        """Return the address of a file, or of a line in it."""
        fragment = f"#L{line}" if line else ""
        return f"{self._to_root}/{quote(path)}{fragment}"
