"""The file `recipes.yaml`: reading, merging with what was recorded, writing.

An entry is one recipe. The digest of a recorded entry is that of its content when it was written: an entry
whose content has another one, or that has a comment, was edited. It is kept as it is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.findings.errors import ConfigError
from esper_audit.probes.recipes.plain_data import decode_recipe, encode_arguments
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.text.phrases import did_you_mean

VERSION = 1
DIGEST_LENGTH = 8
KEYS = ("class", "origin", "build", "call", "batch", "digest")
COMMENT = re.compile(r"(^|\s)#")
ENTRY = re.compile(r"^-(\s|$)", re.MULTILINE)
HEADER = """\
# How module classes are built and called. `esper-audit record -- COMMAND` writes it and keeps the entries
# that were edited; `esper-audit probe` tries these recipes first. See docs/discovery.md.
"""


@dataclass(frozen=True)
class StoredRecipe:
    """A recipe of the file with its line and text.

    A declared one may leave out how to build or how to call.
    """

    recipe: Recipe
    has_build: bool = True
    has_call: bool = True
    digest: str = ""
    line: int = 0
    text: str = ""

    @property
    def is_untouched(self) -> bool:
        """Return whether the entry is as `record` wrote it."""
        is_recorded = self.recipe.origin is RecipeOrigin.RECORDED and self.digest == digest_of(self)
        return is_recorded and not COMMENT.search(self.text)

    @property
    def is_call_site(self) -> bool:
        """Return whether the recipe comes from source text or from inside another module."""
        return self.recipe.origin is RecipeOrigin.CALL_SITE


def digest_of(stored: StoredRecipe) -> str:
    """Return the digest of what an entry contains."""
    text = json.dumps(_content(stored), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def read_recipes(path: str) -> list[StoredRecipe]:
    """Return the recipes of a file in order, none if there is no file.

    Raise ConfigError with the line of what is invalid.
    """
    if not os.path.isfile(path):
        return []
    import yaml

    with open(path, encoding="utf-8") as file:
        text = file.read()
    loader = yaml.CSafeLoader(text)
    try:
        root = loader.get_single_node()
        plain = loader.construct_document(root) if root is not None else {}
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"{place}: invalid YAML") from error
    finally:
        loader.dispose()
    entries = _entries(plain, path)
    nodes = _nodes_of(root, len(entries))
    decoded = [
        _decoded(one, path, node.start_mark.line + 1)
        for one, node in zip(entries, nodes, strict=True)
    ]
    texts = _texts_of(text.splitlines(), nodes)
    return [replace(one, text=own) for one, own in zip(decoded, texts, strict=True)]


def header_of(path: str) -> str:
    """Return the comment at the start of a file, that of a new file if there is none."""
    if not os.path.isfile(path):
        return HEADER
    with open(path, encoding="utf-8") as file:
        found = "".join(takewhile(lambda line: line.startswith("#"), file))
    return found or HEADER


def _entries(plain: object, path: str) -> list[Any]:
    if not isinstance(plain, dict) or plain.get("version") != VERSION:
        got = plain.get("version") if isinstance(plain, dict) else type(plain).__name__
        raise ConfigError(f"{path}: unknown version (got {got}, expected version: {VERSION})")
    entries = plain.get("recipes") or []
    if not isinstance(entries, list):
        raise ConfigError(
            f"{path}: recipes: wrong type (got {type(entries).__name__}, expected a list)"
        )
    return entries


def _nodes_of(root: Any, count: int) -> list[Any]:
    """Return the node of each entry."""
    for key, value in root.value if root is not None else ():
        if key.value == "recipes" and count:
            return [*value.value]
    return []


def _texts_of(lines: Sequence[str], nodes: Sequence[Any]) -> list[str]:
    """Return the text of each entry with the comments above it, empty where entries share a line."""
    firsts = [_first_line(lines, node.start_mark.line) for node in nodes]
    ends = [*firsts[1:], *(node.end_mark.line + (node.end_mark.column > 0) for node in nodes[-1:])]
    texts = [
        textwrap.dedent("\n".join(lines[first:end])).strip()
        for first, end in zip(firsts, ends, strict=True)
    ]
    return [text if ENTRY.search(text) else "" for text in texts]


def _first_line(lines: Sequence[str], line: int) -> int:
    """Return where an entry begins: at the comments above it."""
    while line and re.match(r"\s*(#.*|-)?$", lines[line - 1]):
        line -= 1
    return line


def _decoded(plain: object, path: str, line: int) -> StoredRecipe:
    place = f"{path}:{line}"
    if not isinstance(plain, dict) or not isinstance(plain.get("class"), str):
        raise ConfigError(f"{place}: a recipe needs a class (expected class: package.module:Class)")
    for key in plain:
        if key not in KEYS:
            raise ConfigError(f"{place}: unknown key '{key}'{did_you_mean(str(key), KEYS)}")
    try:
        recipe = decode_recipe(plain)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    digest = str(plain.get("digest", ""))
    return StoredRecipe(recipe, "build" in plain, "call" in plain, digest, line)


def plain_recipes(stored: Iterable[StoredRecipe]) -> list[dict[str, Any]]:
    """Return recipes as plain data, for another process."""
    return [{**_content(one), "line": one.line} for one in stored]


def recipes_from_plain(plain: Iterable[dict[str, Any]]) -> list[StoredRecipe]:
    """Return the recipes of plain data."""
    return [
        StoredRecipe(decode_recipe(one), "build" in one, "call" in one, line=one.get("line", 0))
        for one in plain
    ]


def merge_recipes(
    stored: Sequence[StoredRecipe], recorded: Mapping[str, Sequence[StoredRecipe]]
) -> list[StoredRecipe]:
    """Return the recipes of a file with those of the recorded classes renewed.

    What was declared or edited stays, and comes first in its class. What was only built replaces no call.
    """
    called = {one.recipe.target for one in stored if one.is_untouched and one.has_call}
    recorded = {
        target: found
        for target, found in recorded.items()
        if target not in called or any(one.has_call for one in found)
    }
    kept = [one for one in stored if not one.is_untouched or one.recipe.target not in recorded]
    contents = [_content(one) for one in kept]
    new = [one for found in recorded.values() for one in found if _content(one) not in contents]
    return sorted([*kept, *new], key=lambda one: one.recipe.target)


def text_of_recipes(recipes: Iterable[StoredRecipe], header: str = HEADER) -> str:
    """Return the text of the file: one entry after the other, a new one with one line for each key."""
    lines = [header.rstrip(), f"version: {VERSION}", "recipes:"]
    for one in recipes:
        if one.text:
            lines.append(one.text)
            continue
        plain = _content(one)
        if one.recipe.origin is RecipeOrigin.RECORDED:
            plain["digest"] = one.digest or digest_of(one)
        pairs = [f"{key}: {_in_one_line(value)}" for key, value in plain.items()]
        lines += [f"- {pairs[0]}", *(f"  {pair}" for pair in pairs[1:])]
    return "\n".join(lines) + "\n"


def _content(stored: StoredRecipe) -> dict[str, Any]:
    recipe = stored.recipe
    plain: dict[str, Any] = {"class": recipe.target, "origin": str(recipe.origin)}
    if stored.has_build:
        plain["build"] = encode_arguments(recipe.build)
    if stored.has_call:
        plain["call"] = encode_arguments(recipe.call)
    if recipe.batch is not None:
        plain["batch"] = {"axis": recipe.batch.axis, "size": recipe.batch.size}
    return plain


def _in_one_line(value: object) -> str:
    import yaml

    text = yaml.dump(
        value, Dumper=yaml.CSafeDumper, default_flow_style=True, width=1 << 30, sort_keys=False
    )
    return str(text).removesuffix("...\n").strip()
