"""The arguments that a docstring documents, in Google, NumPy or Sphinx style."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TITLES = frozenset(
    {"Args", "ARGS", "Arguments", "Keyword Args", "Keyword Arguments", "Keyword args"}
    | {"Other Parameters", "Parameters", "Params"}
)
FIRST_CHARACTERS = frozenset({"*", ":", *(title[0] for title in TITLES)})
FIELD = re.compile(r"^:(?:param|parameter|arg|argument|key|keyword)\s+([^:]*):(.*)$")
ANY_FIELD = re.compile(r"^\s*:\w+[^:]*:")
UNDERLINE = re.compile(r"^\s*[-=~]{3,}\s*$")
NAME = r"\\?\*{0,2}[A-Za-z_]\w*"
NAMES = rf"{NAME}(?:\s*(?:,|/|\band\b)\s*{NAME})*"
ENTRY = re.compile(
    rf"^(?:[-*+]\s+)?[`*]*({NAMES})[`*]*\s*(\(.*\)|\[.*\]|<.*>)?\s*(?::|-\s|--|=|$)(.*)$"
)
OPEN_TYPE = re.compile(rf"^(?:[-*+]\s+)?[`*]*({NAMES})[`*]*\s*(\([^)]*)$")
BETWEEN_NAMES = re.compile(r"\s*(?:,|/|\band\b)\s*")
NUMPY_ENTRY = re.compile(rf"^[`*]*({NAMES})[`*]*\s*(?::\s*(.*))?$")
FAMILY = re.compile(r"^[`\\]*\*_|_\*[`]*$")  # `*_mask` and `mask_*` are families of names
SPHINX_NAME = re.compile(r"\*{0,2}[A-Za-z_]\w*")
NOT_ARGUMENT_NAMES = frozenset(
    {"default", "defaults", "example", "examples", "http", "https", "i", "if", "important", "in"}
    | {"note", "notes"}
    | {"optional", "or", "otherwise", "raises", "required", "return", "returns", "see", "shape"}
    | {"tip", "todo", "usage", "warning", "warnings", "where", "yields"}
)


class DocumentedArgument(NamedTuple):
    """A documented argument: its name without stars, and the text of its entry."""

    name: str
    text: str


class DocumentedArguments(NamedTuple):
    """The documented arguments, and whether every line of the sections was parsed."""

    entries: list[DocumentedArgument]
    is_complete: bool


def is_possible_documentation(docstring: str) -> bool:
    """Return whether a docstring contains a title or a field that can document arguments."""
    return (
        "Arg" in docstring  # one test a line: a loop over them costs more than all of them
        or "args" in docstring
        or "Param" in docstring
        or ":param" in docstring
        or "ARGS" in docstring
        or ":arg" in docstring
        or ":key" in docstring
    )


def documented_arguments(docstring: str) -> DocumentedArguments:
    """Return the arguments that the sections of a docstring document, in any of the three styles."""
    lines = docstring.expandtabs().splitlines()
    entries: list[DocumentedArgument] = []
    is_complete = True
    for number, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare[0] not in FIRST_CHARACTERS:
            continue
        field = FIELD.match(bare) if bare[0] == ":" else None
        if field is not None:
            entry = _sphinx_entry(field, lines[number + 1 :])
            entries += [entry] if entry is not None else []
        elif bare.strip("*:") in TITLES and not _is_example(lines, number):
            section = _section(lines, number)
            entries += section.entries
            is_complete = is_complete and section.is_complete
    return DocumentedArguments(entries, is_complete)


def _is_example(lines: list[str], number: int) -> bool:
    """Return whether a title is part of an example: indented, or after a line that ends in a colon."""
    above = next((line for line in reversed(lines[:number]) if line.strip()), "")
    is_announced = above.rstrip().endswith(":") and _indent(above) <= _indent(lines[number])
    margin = min((_indent(line) for line in lines[1:] if line.strip()), default=0)
    return is_announced or (number > 0 and _indent(lines[number]) > margin)


def _section(lines: list[str], number: int) -> DocumentedArguments:
    """Parse the lines below a title, in NumPy style if the title is underlined."""
    is_numpy = number + 1 < len(lines) and UNDERLINE.match(lines[number + 1]) is not None
    if is_numpy:
        return _numpy_section(lines[number + 2 :])
    return _google_section(lines[number + 1 :], _indent(lines[number]) if number else -1)


def _sphinx_entry(field: re.Match[str], below: list[str]) -> DocumentedArgument | None:
    """Return the argument of `:param type name: text`, or of `:param name type: text` in another order."""
    text = [field[2]]
    for line in below:
        if ANY_FIELD.match(line) or not line.strip():
            break
        text.append(line.strip())
    words = field[1].split()
    if words[-2:-1] == ["or"] or not words or not SPHINX_NAME.fullmatch(words[-1].strip("`\\")):
        words = (
            words[1:] + words[:1]
        )  # a type of several words, or one with a dot, follows the name
    name = words[-1].strip("*\\`") if words else ""
    is_name = bool(SPHINX_NAME.fullmatch(name)) and not FAMILY.search(words[-1])
    return DocumentedArgument(name, " ".join(words[:-1] + text)) if is_name else None


def _google_section(lines: list[str], indent: int) -> DocumentedArguments:
    """Parse entries that are indented deeper than their title, all as deep as the first."""
    first = next((line for line in lines if line.strip()), "")
    depth = _indent(first)
    if depth <= indent:
        return DocumentedArguments([], is_complete=False)
    found: list[tuple[list[str], list[str]]] = []
    is_complete = True
    for line in lines:
        unindented = line.lstrip()
        bare, indent = unindented.rstrip(), len(line) - len(unindented)
        if bare and indent < depth:
            break
        if indent != depth or not bare:
            if found:
                found[-1][1].append(bare)
            continue
        match = ENTRY.match(bare) or OPEN_TYPE.match(bare)
        is_family = FAMILY.search(bare.partition(":")[0].strip()) is not None
        names = _names(match[1]) if match and not is_family else []
        if match is not None and names:
            found.append((names, [" ".join(part for part in match.groups()[1:] if part)]))
        else:
            is_complete = False
    return DocumentedArguments(list(_entries(found)), is_complete)


def _numpy_section(lines: list[str]) -> DocumentedArguments:
    """Parse entries that are indented like their underlined title, until the next title."""
    found: list[tuple[list[str], list[str]]] = []
    is_complete = True
    depth = _indent(next((line for line in lines if line.strip()), ""))
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if UNDERLINE.match(below):
            break
        entry = NUMPY_ENTRY.match(line.strip()) if _indent(line) == depth else None
        if entry is not None and (names := _names(entry[1])):
            found.append((names, [entry[2] or ""]))
        elif line.strip() and _indent(line) == depth:
            is_complete = False
        elif found:
            found[-1][1].append(line.strip())
    return DocumentedArguments(list(_entries(found)), is_complete)


def _entries(found: list[tuple[list[str], list[str]]]) -> Iterator[DocumentedArgument]:
    for names, text in found:
        yield from (DocumentedArgument(name, "\n".join(text)) for name in names)


def _names(text: str) -> list[str]:
    if text.isidentifier() and text != "and":
        names = [text]
    else:
        names = [name.strip("*\\` ") for name in BETWEEN_NAMES.split(text)]
    return [] if names[0].lower() in NOT_ARGUMENT_NAMES else names


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
