"""Reading one source file: bytes to text to `ast`, or the reason why that fails."""

from __future__ import annotations

import ast
import io
import math
import os
import re
import sys
import warnings
from functools import cached_property

from esper_audit.findings.errors import reason_of
from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Names

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST_FILE = 16 * 1024 * 1024
# Python does not print an integer with more decimal digits, however it is written.
MOST_DIGITS = sys.int_info.default_max_str_digits
MOST_BITS = int(MOST_DIGITS * math.log2(10))
LONG_INTEGER = re.compile(rb"0[xXoObB][0-9a-fA-F_]{%d}" % (MOST_BITS // 4))
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")
# A file of code that is encoded, as PyArmor and `exec(b64decode(...))` have it.
MOST_STATEMENTS_OF_LOADER = 8
SHORTEST_CODE = 1000
ENCODED_PART = 0.8


class Source:
    """One parsed file: its path for messages, its text and its tree."""

    def __init__(self, path: str, data: bytes, text: str, tree: ast.Module) -> None:
        self.path = path
        self.data = data
        self.text = text
        self.tree = tree

    @cached_property
    def lines(self) -> list[str]:
        r"""The lines as Python counts them, each ending in a bare `\n` (the last one perhaps not)."""
        return io.StringIO(self.text, newline=None).readlines()

    @cached_property
    def names(self) -> Names:
        """What names mean in this file."""
        return Names(self.tree)

    @cached_property
    def imports(self) -> list[ast.Import]:
        """Every `import ...` of the file, at any depth."""
        return [node for node in scan(self.tree, {ast.Import}) if isinstance(node, ast.Import)]

    @cached_property
    def words(self) -> frozenset[bytes]:
        """Every identifier, keyword or number in the file."""
        return words_of(self.data)


def words_of(data: bytes) -> frozenset[bytes]:
    """Return every identifier, keyword or number in a text."""
    text = data.removeprefix(BYTE_ORDER_MARK)
    return frozenset(text.translate(_SEPARATORS_TO_SPACES).split())


def has_word(data: bytes, word: bytes) -> bool:
    """Return whether a text contains an identifier as a whole word: whether it is one of `words_of`."""
    if word not in data:
        return False
    pattern = rb"(?<![\w\x80-\xff])%s(?![\w\x80-\xff])" % re.escape(word)
    return re.search(pattern, data.removeprefix(BYTE_ORDER_MARK)) is not None


def read(root: str, path: str) -> bytes | NotAnalysed:
    """Return the bytes of `path` (relative to `root`), or why they cannot be read."""
    full = os.path.join(root, path)
    try:
        if os.path.getsize(full) > LARGEST_FILE:
            return NotAnalysed(path, f"larger than {LARGEST_FILE // 2**20} MiB")
        with open(full, "rb") as file:
            return file.read()
    except OSError as error:
        return NotAnalysed(path, f"cannot be read: {reason_of(error)}")


def parse(path: str, data: bytes) -> Source | NotAnalysed:
    """Return the parsed file, or why it does not parse.

    The standard library's parser runs first: it rejects what would crash the native parser of LibCST
    (thousands of nested parentheses, sums of ten thousand terms).
    """
    try:
        text = decode(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, path)
    except SyntaxError as error:
        return NotAnalysed(path, f"does not parse: {error.msg}", line=error.lineno or 0)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = (
            f"is not {error.encoding} text: byte 0x{data[error.start]:02x} at offset {error.start}"
        )
        return NotAnalysed(path, reason, line=line)
    except (LookupError, ValueError) as error:
        return NotAnalysed(path, f"does not parse: {error}")
    except (RecursionError, MemoryError):
        return NotAnalysed(path, "does not parse: nested too deeply for the Python parser")
    if LONG_INTEGER.search(data) and (line := _line_of_long_integer(tree)):
        return NotAnalysed(path, f"an integer of more than {MOST_DIGITS} digits", line=line)
    if SURROGATE.search(data):
        _escape_surrogates(tree)
    if len(tree.body) <= MOST_STATEMENTS_OF_LOADER and _is_encoded(tree, text):
        return NotAnalysed(path, "holds its code as encoded data, which no rule can read")
    return Source(path, data, text, tree)


def _line_of_long_integer(tree: ast.Module) -> int:
    """Return the line of the first integer that Python does not print, 0 without one."""
    constants = (node for node in scan(tree, {ast.Constant}) if isinstance(node, ast.Constant))
    return min((node.lineno for node in constants if _is_long_integer(node.value)), default=0)


def _is_long_integer(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > MOST_BITS


def _is_encoded(tree: ast.Module, text: str) -> bool:
    """Return whether nearly all of a file is one literal that a statement of the module hands to a call."""
    calls = [
        s.value for s in tree.body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)
    ]
    literals = (node for call in calls for node in scan(call, {ast.Constant}))
    lengths = (len(ast.get_source_segment(text, node) or "") for node in literals)
    return len(text) > SHORTEST_CODE and max(lengths, default=0) > ENCODED_PART * len(text)


def _escape_surrogates(tree: ast.Module) -> None:
    """Replace surrogates in texts by their escape sequences: UTF-8 cannot encode them."""
    for node in scan(tree, {ast.Constant}):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = node.value.encode("utf-8", "backslashreplace").decode()


def decode(data: bytes) -> str:
    """Decode source by its byte order mark and PEP 263 declaration, UTF-8 without either."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("UTF-16 text, which Python does not read as source; save it as UTF-8")
    if b"\0" in data:
        raise ValueError("source code cannot contain null bytes")
    return data.decode(encoding_of(data))


def encoding_of(data: bytes) -> str:
    """Return the encoding that source declares, `utf-8-sig` where it starts with a byte order mark."""
    if b"coding" not in data[: _end_of_declarations(data)]:
        return "utf-8-sig" if data.startswith(BYTE_ORDER_MARK) else "utf-8"
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(data).readline)[0]


def _end_of_declarations(data: bytes) -> int:
    """Return the offset at which the second line ends: an encoding is declared above it."""
    second = data.find(b"\n") + 1
    end = data.find(b"\n", second) if second else -1
    return end if end >= 0 else len(data)


_SEPARATORS_TO_SPACES = bytes(
    byte if chr(byte).isalnum() or byte == ord("_") or byte >= 128 else ord(" ")
    for byte in range(256)
)
