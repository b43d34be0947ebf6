"""Pages of the documentation site that are made when it is built, and links that lead out of `docs/`.

MkDocs calls `on_files` and `on_page_markdown`. The pages of checks, commands and configuration come from
the program itself; README, CHANGELOG and CONTRIBUTING are pages of the site under other names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from esper_audit.cli.root import root
from esper_audit.project import config_tables
from esper_audit.project.config_tables import Config, ConfigTable
from esper_audit.reports.rules_page import CheckPage, case_code, check_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.rule import Check, Rule
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.text.markdown import cell, fenced

ROOT = Path(__file__).parents[2]
PAGES_OF_THE_ROOT = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^(?:```.*?^```|~~~.*?^~~~)", re.DOTALL | re.MULTILINE)
SHELVES = {
    "rule": "Rules",
    "whole tree": "Rules over the whole tree",
    "probe": "Probes and monitors",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the addresses of the site and of the repository from the metadata of the package."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    config.site_url, config.repo_url = f"{urls['Documentation'].rstrip('/')}/", urls["Source"]
    config.repo_name = "Source"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        target: (ROOT / source).read_text("utf-8") for source, target in PAGES_OF_THE_ROOT.items()
    }
    pages |= generated_pages()
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links to files outside of `docs/` led to their page, or to the repository."""
    source = page.file.src_uri
    of_root = {target: name for name, target in PAGES_OF_THE_ROOT.items()}
    folder = ROOT if source in of_root else (ROOT / "docs" / source).parent
    depth = source.count("/")

    def led(match: re.Match[str]) -> str:
        target = (folder / match["path"]).resolve()
        anchor = match["anchor"] or ""
        if not target.exists() or not target.is_relative_to(ROOT):
            return match[0]
        path = target.relative_to(ROOT).as_posix()
        if path in PAGES_OF_THE_ROOT:
            return "../" * depth + PAGES_OF_THE_ROOT[path] + anchor
        if target.is_file() and path.startswith("docs/"):
            return "../" * depth + path.removeprefix("docs/") + anchor
        return f"{config.repo_url}/{path}{anchor}"

    parts, end = [], 0
    for fence in FENCE.finditer(markdown):  # code is shown as it is
        parts += [LINK.sub(led, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(led, markdown[end:])])


def generated_pages() -> dict[str, str]:
    """Return the pages that the program describes itself, by path below `docs/`."""
    catalogue = CheckCatalogue([], "", ())
    checks = catalogue.checks
    pages = {f"checks/{name}.md": check_text(check, catalogue) for name, check in checks.items()}
    return pages | {
        "checks/index.md": checks_text(catalogue),
        "commands.md": commands_text(),
        "configuration.md": configuration_text(),
    }


def check_text(check: type[Check], catalogue: CheckCatalogue) -> str:
    """Return the page of a check: its contract, what, why, all its cases and its options."""
    page, contract = check_page(check), catalogue.contracts[check.contract]
    force = "everywhere" if contract.kind == "universal" else "where the project adopts it"
    parts = [
        f"# {check.id}",
        f"{page.title}.",
        page.facts,
        f"**Contract** `{contract.id}`, in force {force}: {contract.statement} {contract.why}",
        f"## What\n\n{page.what}",
        f"## Why\n\n{page.why}",
        f"## Not reported\n\n{_title(page.quiet)}",
        *_cases(check),
        *_options(page),
    ]
    return "\n\n".join(parts) + "\n"


def _cases(check: type[Check]) -> Iterator[str]:
    if not issubclass(check, (Rule, TreeRule)):
        return
    yield "## Code with a finding"
    for case in check.INVALID:
        yield f"{_title(case.name)}:"
        yield fenced(case_code(case), "python")
        if isinstance(case.expected[0][0], int):
            yield "\n".join(f"- line {one[0]}: {one[-1]}" for one in case.expected)
        else:
            yield "\n".join(f"- {one[0]}, line {one[1]}: {one[-1]}" for one in case.expected)
    yield "## Code without a finding"
    for valid in check.VALID:
        yield f"{_title(valid.name)}:"
        yield fenced(case_code(valid), "python")


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _options(page: CheckPage) -> Iterator[str]:
    if not page.options:
        return
    yield "## Options"
    yield f"In `[tool.esper-audit.rules.{page.id}]`, beside `severity`:"
    rows = [f"| `{one['name']}` | `{cell(one['default'])}` |" for one in page.options]
    yield "\n".join(["| option | default |", "| --- | --- |", *rows])


def checks_text(catalogue: CheckCatalogue) -> str:
    """Return the list of all checks, by shelf."""
    shelves: dict[str, list[str]] = {title: [] for title in SHELVES.values()}
    for check in catalogue.checks.values():
        kind = (
            "rule"
            if issubclass(check, Rule)
            else "whole tree"
            if issubclass(check, TreeRule)
            else "probe"
        )
        page = check_page(check)
        on = "" if check.default else " (off unless selected)"
        row = f"| [{check.id}]({check.id}.md) | {check.severity} | {cell(page.title)}{on} | `{check.contract}` |"
        shelves[SHELVES[kind]].append(row)
    head = "| check | severity | what is wrong | contract |\n| --- | --- | --- | --- |"
    sections = [
        f"## {title}\n\n{head}\n" + "\n".join(rows) for title, rows in shelves.items() if rows
    ]
    return (
        "# Checks\n\nMade from the checks themselves; `esper-audit rule ID` shows the same.\n\n"
        + "\n\n".join(sections)
        + "\n"
    )


def commands_text() -> str:
    """Return the help of every command."""
    parts = ["# Commands", "What `--help` of each command prints."]
    for path, command in _commands(root, ("esper-audit",)):
        context = click.Context(command, info_name=" ".join(path), terminal_width=96)
        parts += [f"## {' '.join(path)}", fenced(command.get_help(context), "text")]
    return "\n\n".join(parts) + "\n"


def _commands(
    group: click.Group, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def configuration_text() -> str:
    """Return the tables of the configuration with their keys, types and defaults."""
    kinds = [kind for kind in vars(config_tables).values() if isinstance(kind, type)]
    tables = [
        kind
        for kind in kinds
        if issubclass(kind, ConfigTable) and kind not in (ConfigTable, Config)
    ]
    parts = [
        "# Configuration",
        (
            "`[tool.esper-audit]` in `pyproject.toml`, or the same keys in `esper-audit.toml`; the nearest one above "
            "the checked paths counts. `esper-audit init` writes one with comments, `esper-audit config show` prints "
            "what is in force and why. An unknown key is an error with its line."
        ),
        _table("The main table", Config),
        *(_table(kind.__name__, kind) for kind in tables),
        (
            "## Options of a rule\n\n`[tool.esper-audit.rules.ID]` takes `severity` (P0 to P4), `fix = false` and "
            "the options that the [page of the rule](checks/index.md) lists."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _table(title: str, kind: type[msgspec.Struct]) -> str:
    rows = [
        f"| `{field.encode_name}` | `{cell(_type(field.type))}` | {_default(field)} |"
        for field in msgspec.structs.fields(kind)
    ]
    text = "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())
    return f"## {title}\n\n{text}\n\n" + "\n".join(
        ["| key | type | default |", "| --- | --- | --- |", *rows]
    )


def _type(kind: Any) -> str:
    text = (
        kind.__name__
        if isinstance(kind, type) and not str(kind).startswith("dict") and "[" not in str(kind)
        else str(kind)
    )
    return re.sub(
        r"typing\.Annotated\[([^,]+),.*?\)\]|typing\.|esper_audit\.[\w.]*\.",
        lambda m: m[1] or "",
        text,
    )


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = (
        field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    )
    if value is msgspec.NODEFAULT:
        return "required"
    return "its own defaults" if isinstance(value, msgspec.Struct) else f"`{cell(repr(value))}`"
