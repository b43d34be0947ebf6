"""The description of a check for `rules.md` and `esper-audit rule`, from the check's own specification."""

from __future__ import annotations

import msgspec

from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.rule import Check, Invalid, Rule, Valid
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.rules.version_ranges import versions_of
from esper_audit.text.markdown import count


class CheckPage(msgspec.Struct, frozen=True):
    """The description of a check.

    Code and names of cases are empty for a probe.
    """

    id: str
    title: str
    facts: str
    what: str
    why: str
    quiet: str
    invalid_name: str
    invalid: str
    valid_name: str
    valid: str
    options: list[dict[str, str]]


def rules_page(catalogue: CheckCatalogue) -> dict[str, object]:
    """Return the content of the page of all checks."""
    pages = [check_page(check) for check in catalogue.checks.values()]
    summary = (
        f"{count(len(pages), 'check')}. This page is generated from their specifications. "
        "`esper-audit rule ID` also shows the contract and all cases of a check."
    )
    return {"summary": summary, "checks": pages}


def check_page(check: type[Check]) -> CheckPage:
    """Return the description of a check."""
    documentation = check.documentation()
    rule = check if issubclass(check, (Rule, TreeRule)) else None
    invalid, valid = (rule.INVALID[0], rule.VALID[0]) if rule else (None, None)
    return CheckPage(
        id=check.id,
        title=documentation.title,
        facts=_facts(check),
        what=_sentence(documentation.what),
        why=_sentence(documentation.why),
        quiet=documentation.quiet,
        invalid_name=invalid.name if invalid else "",
        invalid=case_code(invalid) if invalid else "",
        valid_name=valid.name if valid else "",
        valid=case_code(valid) if valid else "",
        options=_options(rule) if rule else [],
    )


def case_code(case: Valid | Invalid | ValidTree | InvalidTree) -> str:
    """Return the code of a case.

    The files of a tree follow each other, each below its path.
    """
    if isinstance(case, (Valid, Invalid)):
        return case.code.rstrip()
    files = (f"# {path}\n{source.strip()}" for path, source in case.files.items())
    return "\n\n\n".join(files)


def _facts(check: type[Check]) -> str:
    facts = [
        f"Contract `{check.contract}`, {check.category}, {check.severity}, confidence {check.confidence}",
        "" if check.default else "off unless selected (`extend-select`)",
        *(f"concerns {package} {versions}" for package, versions in versions_of(check).items()),
        f"measured: {check.precision}" if check.precision else "",
        "needs the whole project: runs in `run`, and in `check` where selected"
        if issubclass(check, TreeRule)
        else "",
        "has a fixer" if issubclass(check, Rule) and any(c.fixed for c in check.INVALID) else "",
    ]
    return "; ".join(fact for fact in facts if fact) + "."


def _options(check: type[Rule] | type[TreeRule]) -> list[dict[str, str]]:
    return [
        {"name": field.name.replace("_", "-"), "default": _as_toml(_default(field))}
        for field in msgspec.structs.fields(check.Options)
    ]


def _as_toml(value: object) -> str:
    """Return a default value in TOML.

    Sets are sorted.
    """
    if isinstance(value, (set, frozenset, list, tuple)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return "[" + ", ".join(_as_toml(item) for item in items) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else "required"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
