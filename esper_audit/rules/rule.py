"""The specification of a check and of a rule: documentation, triggers, options and cases."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

import msgspec

from esper_audit.findings.errors import RuleLoadError
from esper_audit.findings.finding import Category, Confidence, NotAnalysed, Severity
from esper_audit.project.file_roles import PRODUCTION_ONLY, Role
from esper_audit.rules.code_block import dedent_block
from esper_audit.text.phrases import quoted

if TYPE_CHECKING:
    from esper_audit.source.syntax import cst
    from esper_audit.source.syntax.file_view import FileView
    from esper_audit.source.syntax.node_view import View

SECTIONS = ("What", "Why", "Quiet", "Tickets")


class Reach(enum.Enum):
    """The smallest part of a file around its trigger that a rule needs to decide."""

    STATEMENT = "statement"
    FUNCTION = "function"
    CLASS = "class"
    TOP_LEVEL = "top-level"
    MODULE = "module"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of a rule without options, and the base of the options of other rules."""

    def where_adopted(self) -> Self:
        """Return the options for a project that states the contract of the rule itself."""
        return self


AnyOptions: TypeAlias = Options


class Triggers(msgspec.Struct, frozen=True, kw_only=True):
    """What a file and a node must contain for a rule to be run on the node.

    `calls`, `attributes` and `keywords` are terminal names. `nodes` are class names of `ast`, or of
    LibCST for a `CstRule`. `collected` are further classes whose nodes the rule takes from the file.
    Where only nodes are given, `words` (whole identifiers) or `parts` (any substring) name the files
    that can contain a finding. Without either the rule reads every file.
    """

    calls: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    keywords: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    collected: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()


class Replacement(msgspec.Struct, frozen=True):
    """New code for a node, `safe` if the behaviour of a correct program stays the same."""

    node: object
    code: str
    safe: bool
    description: str


class Violation(msgspec.Struct, frozen=True):
    """A node that breaks the contract of a rule, the message for the user, and perhaps a replacement.

    `subject` is the dotted name of the symbol concerned, within the file, where that is not the
    function or class around the node. `argument` is its parameter. Their uses decide the impact.
    """

    node: object
    message: str
    replacement: Replacement | None = None
    subject: str = ""
    argument: str = ""
    code: str = ""


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
    `Valid`. `columns`, where it is given, has the column of each of `expected`, from 1.
    """

    name: str
    code: str
    expected: tuple[tuple[int, str], ...]
    fixed: str | None = None
    options: dict[str, object] = {}
    columns: tuple[int, ...] = ()

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
    """A source of findings with the name of its file, with dashes, as its id.

    `default` is whether it runs unless deselected, where its contract is universal or adopted. `roles`
    are the roles of the files that it judges: production code, unless it states others, as a rule on a
    mistake that training scripts make states `OUTSIDE_TESTS`. `precision` reports how many of its
    findings in real packages were right on reading; below nine in ten `default` must be False.
    `torch_versions` and `python_versions` are the releases that it concerns, such as `>=2.1`: it is off by
    default in a project that runs on none of them.
    `authorised_words` are the words of comments such as `# hasattr AUTHORIZED by ...` that suppress it.
    """

    id: ClassVar[str]
    contract: ClassVar[str]
    category: ClassVar[Category]
    severity: Severity
    confidence: ClassVar[Confidence] = Confidence.HIGH
    default: ClassVar[bool] = True
    roles: ClassVar[frozenset[Role]] = PRODUCTION_ONLY
    precision: ClassVar[str] = ""
    torch_versions: ClassVar[str] = ""
    python_versions: ClassVar[str] = ""
    authorised_words: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        if "id" not in vars(cls):
            cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def documentation(cls) -> Documentation:
        """Return the parts of the docstring.

        Raises:
            RuleLoadError: A part is missing.
        """
        return _parse_docstring(cls.id, cls.__doc__ or "")


class RunnableCheck(Check):
    """A check that the engine runs: it has options and cases, and derives from `Rule` or `TreeRule`."""

    REQUIRED: ClassVar[Mapping[str, type]] = {
        "contract": str,
        "category": Category,
        "severity": Severity,
        "confidence": Confidence,
    }
    Options: ClassVar[type[AnyOptions]] = Options
    VALID: ClassVar[Sequence[object]] = ()
    INVALID: ClassVar[Sequence[object]] = ()

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        self.options = self.Options() if options is None else options
        if severity is not None:
            self.severity = severity


class FileRule(RunnableCheck):
    """A check that reads one file, the base of `Rule` and of `CstRule`."""

    REQUIRED: ClassVar[Mapping[str, type]] = {**RunnableCheck.REQUIRED, "triggers": Triggers}
    triggers: Triggers
    VALID: ClassVar[Sequence[Valid]] = ()
    INVALID: ClassVar[Sequence[Invalid]] = ()


class Rule(FileRule):
    """A check that reads the `ast` of one file.

    The engine collects the nodes that the triggers name, in one walk for all rules, and calls `check`
    for each node that `prefilter` keeps. A rule queries the `FileView` for all other facts.
    """

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Return the nodes that can result in a finding, with every node that `check` would report."""
        return nodes

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Yield the violations at a node that a trigger names."""
        raise NotImplementedError


class CstRule(FileRule):
    """A check that reads one file through LibCST, which keeps comments and layout but is slower.

    The engine calls `check` for every node that a trigger names, in slices of the file that hold one.
    `may_match` can drop candidates before LibCST is needed. It receives nodes of the standard library's
    `ast` and must accept every node that `check` would report.
    """

    REQUIRED: ClassVar[Mapping[str, type]] = {**FileRule.REQUIRED, "reach": Reach}
    reach: ClassVar[Reach] = Reach.STATEMENT

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Return whether a candidate can result in a finding.

        `enclosing` are the statements around it, outermost first.
        """
        return True

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Yield the violations at a node that a trigger names."""
        raise NotImplementedError


def crash(path: str, rule: Check, error: BaseException) -> NotAnalysed:
    """Return the record of a rule that raised on a file, with the line in the rule."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace else ""
    what = f"{type(error).__name__}: {quoted(str(error))}"
    return NotAnalysed(path, f"the rule raised {what}{place}", check=rule.id)


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
            f"check {check_id}: its docstring needs a first line and the sections "
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
