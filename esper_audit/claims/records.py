"""The eleven kinds of claims as data: the keys of each query and what a query must fulfil.

`kinds/<kind>.py` answers the claims of a kind; a ticket loads none of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Annotated, TypeAlias, get_args

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.ellipsis import code_parts, phrase_parts
from esper_audit.claims.reply import Text
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.formula import Formula, NotAFormula, Number
from esper_audit.project.file_roles import Role
from esper_audit.text.markdown import count

Address = Annotated[str, msgspec.Meta(pattern=r"^[^\s:]+(:[\w.]+)?$")]
Count = (
    Annotated[int, msgspec.Meta(ge=0)]
    | Annotated[str, msgspec.Meta(pattern=r"^at (least|most) \d+$")]
)
CommitHash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{4,40}$")]
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*$")]
LineRanges = Annotated[str, msgspec.Meta(pattern=r"^\d+(-\d+)?(, ?\d+(-\d+)?)*$")]
NodeId = Annotated[str, msgspec.Meta(pattern=r"^[^\s:-][^\s:]*(::.+)?$")]
ProbeUnit = Annotated[str, msgspec.Meta(pattern=r"^[\w-]+\[[^\]@]+@[^\]]+\]$")]
SubjectSource = Annotated[str, msgspec.Meta(pattern=r"^$|^[^\s:]+:\w+$")]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]\w*$")]

QUANTITIES = frozenset({"parameters", "trainable", "buffers", "estimate", "ratio", "average"})
MOST_POINTS = 4096
# The verdicts with which a probe decides; the others report that it could not.
DECIDED_VERDICTS = frozenset(
    {Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.UNEXPECTED_PASS}
)


class CallersClaim(Claim, frozen=True, kw_only=True, tag="callers"):
    """A number of calls of a function, method or class that omit an argument, pass it, or exist.

    `omitting`, `passing` and `calls` are counts: `0`, `at least 1`. Calls in files of the role `among`
    are counted. A call that forwards `*args` may do either, and a call resolved by its name alone may
    be a call of something else: where the count depends on those, the answer is *cannot tell*.
    """

    of: Address
    argument: str = ""
    omitting: Count | None = None
    passing: Count | None = None
    calls: Count | None = None
    among: Role = Role.PRODUCTION

    def __post_init__(self) -> None:
        """Refuse a claim without a count, with several counts, or without an argument to count."""
        given = sum(number is not None for number in (self.omitting, self.passing, self.calls))
        self.require(is_met=given == 1, requirement="one of `omitting`, `passing` and `calls`")
        requirement = "`omitting` and `passing` need an `argument`, `calls` takes none"
        needs_argument = self.calls is None
        self.require(is_met=needs_argument == bool(self.argument), requirement=requirement)


class ReadersClaim(Claim, frozen=True, kw_only=True, tag="readers"):
    """A number of reads, 0 by default, of a name or attribute of any object.

    `under` and `outside` are a folder, a file or a dotted package. Reads in files of the role `among`
    are counted. A string that spells the name may be a read of it (`getattr`, a key).
    """

    of: Identifier
    under: str = ""
    outside: str = ""
    count: Count = 0
    among: Role = Role.PRODUCTION


class Usage(enum.StrEnum):
    """What a claim can state of a symbol."""

    USED = "used"
    UNUSED = "unused"
    TESTED = "tested"
    UNTESTED = "untested"


class ReferencesClaim(Claim, frozen=True, kw_only=True, tag="references", rename={"usage": "is"}):
    """A symbol `is` used, unused, tested or untested.

    It is used where files of the role `among` call it, read it, derive from it or decorate with it
    outside itself; an import alone is no use. It is tested by tests that name it or reach it through
    their calls; `by` restricts those to a file or folder of tests, `directly` to those that name it.
    """

    of: Address
    usage: Usage
    by: str = ""
    directly: bool = False
    among: Role = Role.PRODUCTION

    def __post_init__(self) -> None:
        """Refuse `by` and `directly` in a claim about uses."""
        about_tests = self.usage in (Usage.TESTED, Usage.UNTESTED)
        is_met = about_tests or not (self.by or self.directly)
        self.require(is_met=is_met, requirement="`by` and `directly` are about tests")


class FindingClaim(Claim, frozen=True, kw_only=True, tag="finding"):
    """The check reports the symbol or the file.

    Authorised and accepted findings count.
    """

    check: Text
    at: Address


class QuoteClaim(Claim, frozen=True, kw_only=True, tag="quote"):
    """The file contains the code as quoted, on the lines cited if there are any.

    Layout, comments and docstrings that the quotation leaves out do not count; `...`, a comment with
    dots and a comment that names lines mark what it leaves out. Code that was moved, or between whose
    lines other lines are, is stale, code that is absent is refuted.
    """

    path: Text
    code: Text
    lines: LineRanges | None = None

    def __post_init__(self) -> None:
        """Refuse a quotation without code."""
        self.require(is_met=bool(code_parts(self.code)), requirement="`code` quotes nothing")


class DocumentedClaim(Claim, frozen=True, kw_only=True, tag="documented"):
    """A docstring or comment at a symbol, or a document, contains the words of `says`.

    The words count, in their order. Case, layout and punctuation do not count, and `...` stands for
    any text.
    """

    at: Address
    says: Text

    def __post_init__(self) -> None:
        """Refuse a phrase without words."""
        self.require(is_met=bool(phrase_parts(self.says)), requirement="`says` holds no word")


class CommitClaim(Claim, frozen=True, kw_only=True, tag="commit"):
    """The history contains the commit.

    With `touches`, the commit changes that file, or did so under an earlier name of the file.
    """

    commit: CommitHash
    touches: str = ""


class PytestClaim(Claim, frozen=True, kw_only=True, tag="test"):
    """A pytest node passes: a test file, a test in it, or one of its cases.

    `node` is `path::name`. A node that collects nothing is stale. A node that is skipped, does not load or does not end
    has no answer.
    """

    node: NodeId


class ProbeClaim(Claim, frozen=True, kw_only=True, tag="probe"):
    """A unit of the probes, `probe[subject@state]`, has this outcome, by default `pass`."""

    unit: ProbeUnit
    outcome: Verdict = Verdict.PASS
    subjects: SubjectSource = ""

    def __post_init__(self) -> None:
        """Refuse an outcome with which a probe reports that it could not decide."""
        decided = ", ".join(sorted(DECIDED_VERDICTS))
        is_met = self.outcome in DECIDED_VERDICTS
        self.require(is_met=is_met, requirement=f"`outcome` is one of {decided}")


class ValueClaim(Claim, frozen=True, kw_only=True, tag="value"):
    """The expression `equals` a number, within a tolerance, or lies between `at_least` and `at_most`.

    Quantities of the subject: `parameters(width)`, `trainable(width)`, `buffers(width)`,
    `estimate(width)`, `ratio(seed_norm, host_norm, seed_params, host_params)`, `average(samples...)`.
    """

    expression: Text
    equals: Number | None = None
    within: Number = 0
    at_least: Number | None = None
    at_most: Number | None = None
    subject: str = ""
    subjects: SubjectSource = ""

    def __post_init__(self) -> None:
        """Refuse an expression that is no formula, and a claim that has both or none of the bounds."""
        problem = _formula_problem({"expression": self.expression}, (), self.subject)
        self.require(is_met=not problem, requirement=problem)
        bounded = self.at_least is not None or self.at_most is not None
        requirement = "either `equals`, or `at_least` and `at_most` or one of them"
        self.require(is_met=bounded != (self.equals is not None), requirement=requirement)
        self.require(is_met=self.within >= 0, requirement="`within` is at least 0")


class Range(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """The integers from `from` to `to`, both included, every `step`th."""

    first: int
    last: int
    step: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def values(self) -> Sequence[int]:
        """The integers, as a range."""
        return range(self.first, self.last + 1, self.step)


class FormulaClaim(Claim, frozen=True, kw_only=True, tag="formula"):
    """`left` and `right` agree, within a tolerance, at every point of `over`.

    A formula is integer or real arithmetic in the variables of `over`, with `min`, `max`, `abs` and,
    where a `subject` is named, its quantities (see the kind `value`), counted live: `parameters(dim)`.
    A variable takes one integer, several, or a range `{from: 1, to: 64, step: 1}`.
    """

    left: Text
    right: Text
    over: dict[Variable, int | list[int] | Range]
    within: Number = 0
    subject: str = ""
    subjects: SubjectSource = ""

    @property
    def axes(self) -> dict[str, Sequence[int]]:
        """The values of each variable."""
        return {name: _axis(values) for name, values in self.over.items()}

    def __post_init__(self) -> None:
        """Refuse texts that are no formulas, and a range of no points or of too many."""
        texts = {"left": self.left, "right": self.right}
        problem = _formula_problem(texts, self.over, self.subject)
        self.require(is_met=not problem, requirement=problem)
        number = prod(len(values) for values in self.axes.values())
        requirement = f"`over` spans {count(number, 'point')}, expected 1 to {MOST_POINTS:,}"
        self.require(is_met=1 <= number <= MOST_POINTS, requirement=requirement)


AnyClaim: TypeAlias = (
    CallersClaim
    | CommitClaim
    | DocumentedClaim
    | FindingClaim
    | FormulaClaim
    | ProbeClaim
    | QuoteClaim
    | ReadersClaim
    | ReferencesClaim
    | PytestClaim
    | ValueClaim
)
KINDS: dict[str, type[Claim]] = {str(c.__struct_config__.tag): c for c in get_args(AnyClaim)}


def _axis(values: int | list[int] | Range) -> Sequence[int]:
    if isinstance(values, Range):
        return values.values
    return [values] if isinstance(values, int) else values


def _formula_problem(texts: Mapping[str, str], names: Iterable[str], subject: str) -> str:
    """Return why one of the formulas, by their keys, cannot be evaluated, empty if all can."""
    for key, text in texts.items():
        try:
            formula = Formula(text, set(names), QUANTITIES)
        except (NotAFormula, ValueError) as error:
            return f"`{key}`: {error}"
        if formula.quantities_used and not subject:
            return f"`{key}` uses {min(formula.quantities_used)} without a `subject`"
    return ""
