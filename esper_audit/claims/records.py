"""The thirteen kinds of claims as data: the keys of each query and what a query must fulfil.

`kinds/<kind>.py` answers the claims of a kind; a ticket loads none of it.
"""

from __future__ import annotations

import ast
import enum
from typing import Annotated, TypeAlias, get_args

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.ellipsis import code_parts, phrase_parts
from esper_audit.claims.quantity_claims import FormulaClaim, SubjectSource, ValueClaim
from esper_audit.claims.reply import Text
from esper_audit.findings.probe_record import Verdict
from esper_audit.project.file_roles import Role

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


class LocationClaim(Claim, frozen=True, kw_only=True, tag="location"):
    """The file exists, defines the symbol, and some of the lines belong to it.

    A symbol without dots may be a method of any class in the file.
    """

    path: Text
    symbol: Annotated[str, msgspec.Meta(pattern=r"^[\w.]*$")] = ""
    lines: Annotated[str, msgspec.Meta(pattern=r"^(\d+(-\d+)?(, ?\d+(-\d+)?)*)?$")] = ""


class ParameterUsage(enum.StrEnum):
    """What a claim can state of a parameter in the body of its function."""

    USED = "used"
    UNUSED = "unused"


class ParameterClaim(Claim, frozen=True, kw_only=True, tag="parameter", rename={"usage": "is"}):
    """A function reads its parameter or not, or its parameter has a default.

    A class stands for its `__init__`, one without `__init__` for its annotated fields.
    """

    of: Address
    argument: Identifier
    usage: ParameterUsage | None = None
    default: str = ""

    def __post_init__(self) -> None:
        """Refuse a claim with neither or both of `is` and `default`, and a default that is no code."""
        is_met = (self.usage is None) == bool(self.default)
        self.require(is_met=is_met, requirement="one of `is` and `default`")
        try:
            compile(self.default or "0", "default", "eval", ast.PyCF_ONLY_AST)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.require(is_met=False, requirement="`default` is no expression")


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

    `node` is `path::name`. A node that collects nothing is stale. A node that is skipped, does not load
    or does not end has no answer.
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


AnyClaim: TypeAlias = (
    CallersClaim
    | CommitClaim
    | DocumentedClaim
    | FindingClaim
    | FormulaClaim
    | LocationClaim
    | ParameterClaim
    | ProbeClaim
    | QuoteClaim
    | ReadersClaim
    | ReferencesClaim
    | PytestClaim
    | ValueClaim
)
KINDS: dict[str, type[Claim]] = {str(c.__struct_config__.tag): c for c in get_args(AnyClaim)}
