"""Marks of a tree that show which policies its authors have: comments, settings of other tools, habits."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from esper_audit.project.config import PROJECT_FILE
from esper_audit.project.file_roles import Role, Roles
from esper_audit.rules.selection import Selection
from esper_audit.text.markdown import count

AUTHORISED = re.compile(r"#[^\n]*?(\w+)(?:\(\))?\s+AUTHORI[SZ]ED\s+BY\b", re.IGNORECASE)
ALLOWED = re.compile(r"# esper-audit: allow(?:-file)? ([\w-]+)")
EXPORTS = re.compile(r"^__all__\b", re.MULTILINE)
IMPORTS = re.compile(r"^(?:from|import) ", re.MULTILINE)
PACKAGE_FILE = "__init__.py"
VENDORED = frozenset({"third_party", "thirdparty", "vendor", "vendored", "_vendor", "external"})
GENERATED = ("_pb2.py", "_pb2_grpc.py")
PACKAGING_FILES = ("setup.py", "setup.cfg", ".dist-info", ".egg-info")
FEWEST_PACKAGES = 2
# The rules of ruff that check what one of our policies checks, by the beginning of their codes.
RUFF_RULES = {"D": "true-docstrings", "SLF": "private-state"}


class Mark(msgspec.Struct, frozen=True):
    """A reason to adopt a policy."""

    policy: str
    why: str


class TreeMarks:
    """The production files of a tree by path, and what they show of its authors' habits."""

    def __init__(self, root: str, files: Sequence[str], selection: Selection) -> None:
        roles = Roles()
        self.root = root
        self.files = files
        self._texts = {path: _text(root, path) for path in files}
        self.production = [path for path in files if roles.of(path) is Role.PRODUCTION]
        self._selection = selection
        self._settings = _settings(root)

    def policies(self, contracts: Mapping[str, str]) -> list[Mark]:
        """Return the policies that the tree has, by the contract of every check, one mark for each."""
        marks = [*self._comments(contracts), *self._tools(), *self._exports()]
        return list({mark.policy: mark for mark in reversed(marks)}.values())[::-1]

    @property
    def foreign_code(self) -> list[str]:
        """Patterns of vendored and generated code."""
        folders = {
            path[: path.index(f"{part}/") + len(part) + 1]
            for path in self.files
            for part in path.split("/")[:-1]
            if part in VENDORED
        }
        endings = {f"*{end}" for end in GENERATED if any(p.endswith(end) for p in self.files)}
        return sorted(folders | endings)

    @property
    def is_application(self) -> bool:
        """Return whether the tree has no packaging, so that no code outside can import it."""
        has_file = any(name.endswith(PACKAGING_FILES) for name in os.listdir(self.root))
        return not has_file and "project" not in self._settings and "poetry" not in self._tool

    @property
    def _tool(self) -> Mapping[str, Any]:
        tool = self._settings.get("tool", {})
        return tool if isinstance(tool, dict) else {}

    def _comments(self, contracts: Mapping[str, str]) -> Iterator[Mark]:
        """Yield the policies whose findings comments of the tree authorise."""
        found: dict[str, list[str]] = {}
        for path in self.files:
            text = self._texts[path]
            words = [(m[1].lower(), m.start()) for m in AUTHORISED.finditer(text)]
            checks = [(self._selection.authorised_words.get(w, ""), at) for w, at in words]
            checks += [(m[1], m.start()) for m in ALLOWED.finditer(text)]
            for check, at in checks:
                if check in contracts:
                    line = text.count("\n", 0, at) + 1
                    found.setdefault(contracts[check], []).append(f"{path}:{line}")
        for policy, places in found.items():
            verb = "authorises" if len(places) == 1 else "authorise"
            yield Mark(policy, f"{count(len(places), 'comment')} {verb} exceptions ({places[0]})")

    def _tools(self) -> Iterator[Mark]:
        """Yield the policies that settings of other tools show."""
        ruff = self._tool.get("ruff", {})
        lint = ruff.get("lint", {}) if isinstance(ruff, dict) else {}
        selected = [*lint.get("select", []), *lint.get("extend-select", [])]
        for begin, policy in RUFF_RULES.items():
            codes = [c for c in selected if c.rstrip("0123456789") == begin]
            if codes:
                yield Mark(policy, f"ruff checks {codes[0]} here")
        report = self._tool.get("coverage", {}).get("report", {})
        if "fail_under" in report:
            yield Mark("tests-cover-it", f"coverage must not fall under {report['fail_under']}")
        if "vulture" in self._tool:
            yield Mark("no-dead-code", "vulture is configured here")

    def _exports(self) -> Iterator[Mark]:
        packages = [
            self._texts[path]
            for path in self.production
            if os.path.basename(path) == PACKAGE_FILE and IMPORTS.search(self._texts[path])
        ]
        listing = sum(EXPORTS.search(text) is not None for text in packages)
        if len(packages) >= FEWEST_PACKAGES and listing * 2 > len(packages):
            number = count(len(packages), "package")
            yield Mark("stated-surface", f"{listing} of {number} list their names in `__all__`")


def _text(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # `check` reports what cannot be read


def _settings(root: str) -> Mapping[str, Any]:
    try:
        with open(os.path.join(root, PROJECT_FILE), "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError):
        return {}  # without readable settings there are no marks in them
