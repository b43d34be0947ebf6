"""Writing YAML in a readable style: prose in blocks, short words plain, lists not indented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import yaml

from esper_audit.tickets.yaml_edit.load import YamlValue, compose, value_of

WIDTH = 100
# Words that are text in every version of YAML.
CERTAINLY_PLAIN = re.compile(r"[A-Za-z]{3}[A-Za-z0-9_./()-]*( [A-Za-z0-9_./()-]+)*")
RESERVED = frozenset({"true", "false", "null", "yes", "off"})
PLAIN_LENGTH = 60
NO_FOLD = 1 << 30
ASTRAL = re.compile("[\U00010000-\U0010ffff]")  # libyaml escapes them
# A line break or mark that YAML would change, or a character that is invalid in a block.
NOT_IN_A_BLOCK = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]"
)


def mapping_lines(content: Mapping[str, YamlValue]) -> list[str]:
    """Return the lines of a mapping in block style."""
    return [line for key, value in content.items() for line in entry_lines(key, value)]


def entry_lines(key: str, value: YamlValue) -> list[str]:
    """Return the lines of `key: value`."""
    if isinstance(value, dict) and value:
        return [f"{key}:", *indented(mapping_lines(value), 2)]
    if isinstance(value, list) and value:
        return [f"{key}:", *sequence_lines(value)]
    return _scalar_lines(f"{key}: ", value)


def sequence_lines(items: Sequence[YamlValue]) -> list[str]:
    """Return the lines of a list in block style."""
    return [line for item in items for line in item_lines(item)]


def item_lines(item: YamlValue) -> list[str]:
    """Return the lines of one item of a list, the dash included."""
    if isinstance(item, dict) and item:
        lines = mapping_lines(item)
    elif isinstance(item, list) and item:
        lines = sequence_lines(item)
    else:
        return _scalar_lines("- ", item)
    return [f"- {lines[0]}", *indented(lines[1:], 2)]


def indented(lines: Iterable[str], columns: int) -> list[str]:
    """Return lines indented by some columns, without spaces in empty lines."""
    return [" " * columns + line if line else line for line in lines]


def inline(value: YamlValue) -> str:
    """Return a value in flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str) and not _is_plain(value):
        return _quoted(value)
    return _dumped("- ", value)[0].removeprefix("- ")


def _scalar_lines(head: str, value: YamlValue) -> list[str]:
    """Return the lines of a scalar after `key: ` or `- `.

    Further lines are indented by two columns.
    """
    if not isinstance(value, str):
        return [f"{head}{value}"] if value in ({}, []) else _dumped(head, value)
    if "\n" in value:
        return _block_lines(head, value)
    if _is_plain(value):
        return [head + value]
    return [head + _quoted(value)] if ASTRAL.search(value) else _dumped(head, value)


def _is_plain(text: str) -> bool:
    return (
        len(text) <= PLAIN_LENGTH
        and text.lower() not in RESERVED
        and CERTAINLY_PLAIN.fullmatch(text) is not None
    )


def _quoted(text: str) -> str:
    """Return a text in quotes, on one line."""
    if "\n" not in text and not NOT_IN_A_BLOCK.search(text):
        return "'" + text.replace("'", "''") + "'"
    written: str = yaml.dump([text], Dumper=yaml.CSafeDumper, default_style='"', width=NO_FOLD)
    return written.removeprefix("- ").rstrip("\n")


def _block_lines(head: str, text: str) -> list[str]:
    """Return a text of several lines as a literal block, quoted if a block would change it."""
    if NOT_IN_A_BLOCK.search(text):
        return [head + _quoted(text)]
    is_open, is_long = not text.endswith("\n"), text.endswith("\n\n") or text == "\n"
    indicator = "2" if text[0] in " \t\n" else ""
    header = f"|{indicator}{'-' if is_open else '+' if is_long else ''}"
    lines = [header, *indented((text if is_open else text[:-1]).split("\n"), 2)]
    reads_back = value_of(compose("\n".join(["k: " + lines[0], *lines[1:], ""]))) == {"k": text}
    return [head + lines[0], *lines[1:]] if reads_back else [head + _quoted(text)]


def _dumped(head: str, value: YamlValue) -> list[str]:
    """Return a scalar as PyYAML writes it, folded at 100 columns."""
    content = [value] if head == "- " else {head.removesuffix(": "): value}
    written: str = yaml.dump(content, Dumper=yaml.CSafeDumper, width=WIDTH, allow_unicode=True)
    return written.rstrip("\n").split("\n")
