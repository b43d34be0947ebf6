"""What a check, and in particular a rule, is: its specification, its triggers, its cases, its options."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import msgspec

from esper_audit.findings.errors import RuleLoadError
from esper_audit.findings.finding import Category, Confidence, NotAnalysed, Severity
from esper_audit.rules.code_block import dedent_block
from esper_audit.text.phrases import quoted

if TYPE_CHECKING:
    from esper_audit.source.syntax import cst
    from esper_audit.source.syntax.node_view import View

SECTIONS = ("What", "Why", "Quiet", "Tickets")


class Reach(enum.Enum):
    """How much source a rule needs around its trigger to decide: the smallest that suffices."""

    STATEMENT = "statement"
    FUNCTION = "function"
    CLASS = "class"
    TOP_LEVEL = "top-level"
    MODULE = "module"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of a rule that has none; a rule with options derives its own."""


AnyOptions: TypeAlias = Options


class Triggers(msgspec.Struct, frozen=True, kw_only=True):
    """What must stand in a file, and at a node, for a rule to have a say.

    `calls`, `attributes` and `keywords` are terminal names; `nodes` are LibCST class names. Where
    only nodes are given, `words` (whole identifiers) or `parts` (any stretch of text) tell which
    files can hold one at all; without either the rule reads every file.
    """

    calls: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    keywords: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()


class Replacement(msgspec.Struct, frozen=True):
    """New code for a node; `safe` when the behaviour of a correct program stays the same."""

    node: object
    code: str
    safe: bool
    description: str


class Violation(msgspec.Struct, frozen=True):
    """A node at which a rule objects, in the words for a person, perhaps with a repair.

    `subject` is the dotted name, within the file, of what it is about where that is not the function
    or class around the node, `argument` its parameter: who uses or passes them tells the impact.
    """

    node: object
    message: str
    replacement: Replacement | None = None
    subject: str = ""
    argument: str = ""


class Valid(msgspec.Struct, frozen=True):
    """Code on which a rule reports nothing.

    `name` is a phrase that gives the reason. `code` is a plain string, or a triple-quoted block
    that is indented like the rule around it and loses that indentation here.
    """

    name: str
    code: str
    options: dict[str, object] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "code", dedent_block(self.code))


class Invalid(msgspec.Struct, frozen=True):
    """Code on which a rule reports each (line, message) of `expected`.

    `fixed` is the repaired code. It and `code` are plain strings or triple-quoted blocks, as in
    `Valid`.
    """

    name: str
    code: str
    expected: tuple[tuple[int, str], ...]
    fixed: str | None = None
    options: dict[str, object] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "code", dedent_block(self.code))
        if self.fixed is not None:
            msgspec.structs.force_setattr(self, "fixed", dedent_block(self.fixed))


class Documentation(msgspec.Struct, frozen=True):
    """The parts of a check's docstring."""

    title: str
    what: str
    why: str
    quiet: str
    tickets: tuple[str, ...]


class Check:
    """Anything that can produce findings; its id is the name of its file, with dashes.

    `default` tells whether it runs unasked; `precision` says how often its findings in real packages
    were right when people read them (below nine in ten it does not run unasked); `authorised_words`
    are the words of the project's own comments (`# hasattr AUTHORIZED by ...`) that speak of it.
    """

    id: ClassVar[str]
    contract: ClassVar[str]
    category: ClassVar[Category]
    severity: Severity
    confidence: ClassVar[Confidence] = Confidence.HIGH
    default: ClassVar[bool] = True
    precision: ClassVar[str] = ""
    authorised_words: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        if "id" not in vars(cls):
            cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def documentation(cls) -> Documentation:
        """Return the docstring's parts; a part that is missing is a RuleLoadError."""
        return _parse_docstring(cls.id, cls.__doc__ or "")


class Rule(Check):
    """A check that reads source, through LibCST.

    The engine calls `check` for every node that a trigger names, in files and slices that hold one.
    `may_match` can thin out candidates before LibCST is asked; it sees the standard library's `ast`
    and must never refuse what `check` would report.
    """

    triggers: Triggers
    reach: ClassVar[Reach] = Reach.STATEMENT
    Options: ClassVar[type[AnyOptions]] = Options
    VALID: ClassVar[Sequence[Valid]] = ()
    INVALID: ClassVar[Sequence[Invalid]] = ()

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        self.options = self.Options() if options is None else options
        if severity is not None:
            self.severity = severity

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Return whether a candidate can lead to a finding; `enclosing` are its statements, outermost first."""
        return True

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Yield what is wrong at a node that a trigger named."""
        raise NotImplementedError


def validate(rule: type[Rule]) -> None:
    """Raise RuleLoadError unless the rule carries every part of its specification."""
    rule.documentation()
    for part, type_of_part in _PARTS.items():
        if not isinstance(_declared(rule, part), type_of_part):
            raise RuleLoadError(
                f"rule {rule.id}: `{part}` is missing or not a {type_of_part.__name__}"
            )
    if not rule.VALID or not rule.INVALID:
        raise RuleLoadError(f"rule {rule.id}: needs at least one VALID and one INVALID case")
    if rule.check is Rule.check:
        raise RuleLoadError(f"rule {rule.id}: has no `check` method")


def crash(path: str, rule: Check, error: BaseException) -> NotAnalysed:
    """Return the note that a rule raised on a file, with the place in the rule."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace else ""
    what = f"{type(error).__name__}: {quoted(str(error))}"
    return NotAnalysed(path, f"the rule raised {what}{place}", check=rule.id)


_PARTS: dict[str, type] = {
    "contract": str,
    "category": Category,
    "severity": Severity,
    "confidence": Confidence,
    "triggers": Triggers,
    "reach": Reach,
}


def _declared(rule: type[Rule], part: str) -> object:
    return next((vars(base)[part] for base in rule.__mro__ if part in vars(base)), None)


def _parse_docstring(check_id: str, docstring: str) -> Documentation:
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", docstring.strip())]
    parts: dict[str, str] = {}
    for paragraph in paragraphs[1:]:
        section, colon, text = paragraph.partition(": ")
        if colon and section in SECTIONS:
            parts[section] = text
        elif parts:
            last = next(reversed(parts))
            parts[last] = f"{parts[last]}\n\n{paragraph}"
    missing = [section for section in SECTIONS if not parts.get(section)]
    if missing or not paragraphs[0]:
        raise RuleLoadError(
            f"check {check_id}: its docstring wants a first line and the sections "
            f"{', '.join(f'`{s}:`' for s in SECTIONS)}; missing: {', '.join(missing) or 'first line'}"
        )
    return Documentation(
        title=paragraphs[0].rstrip("."),
        what=parts["What"],
        why=parts["Why"],
        quiet=parts["Quiet"],
        tickets=tuple(
            re.findall(r"[A-Z]\d+-[A-Z]+-\d+|deep dive [\d.]+|real code", parts["Tickets"])
        ),
    )
