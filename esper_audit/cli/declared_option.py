"""Options as data, and those that several commands share.

click makes its options of them, and a simple command line is read without click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from esper_audit.findings.finding import Severity

if TYPE_CHECKING:
    from esper_audit.findings.shard import Shard

SEVERITIES = tuple(severity.value for severity in Severity)


class DeclaredOption(NamedTuple):
    """An option: a flag, a list of ids separated by commas, one of some choices, an integer, or a text.

    `least` is the smallest integer. `convert` makes a value of a text, None of an invalid one, which is
    `wrong`: a message with the text for `{}`.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    default: Any = ""
    metavar: str | None = None
    is_flag: bool = False
    is_list: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    convert: Callable[[str], object] | None = None
    wrong: str = ""

    @property
    def initial(self) -> Any:
        """The value without the option."""
        if self.is_list:
            return []
        if self.is_flag:
            return False
        return self.convert(self.default) if self.convert is not None else self.default

    def read(self, text: str) -> Any:
        """Return the value of a text, None where only click decides what it is."""
        if self.is_list:
            return split_ids([text])
        if self.choices:
            return text if text in self.choices else None
        if self.least is not None:
            is_plain = text.isascii() and text.isdecimal()
            return int(text) if is_plain and int(text) >= self.least else None
        return self.convert(text) if self.convert is not None else text


def flag(name: str, *flags: str, explained: str) -> DeclaredOption:
    """Return an option without a value."""
    return DeclaredOption(name, flags, explained, is_flag=True)


def ids(name: str, explained: str) -> DeclaredOption:
    """Return an option that takes ids, separated by commas or repeated."""
    return DeclaredOption(name, (f"--{name}",), explained, metavar="ID,...", is_list=True)


def split_ids(values: Iterable[str]) -> list[str]:
    """Return `--select a,b --select c` as `["a", "b", "c"]`."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def read_shard(text: str) -> Shard | None:
    """Return `2/4` as a shard, None where it is none."""
    from esper_audit.findings.shard import parse_shard

    return parse_shard(text)


CONFIG = DeclaredOption(
    "config_file",
    ("--config",),
    "Read this configuration file instead of the nearest one.",
    default=None,
    metavar="FILE",
)
SHARD = DeclaredOption(
    "shard",
    ("--shard",),
    "Do the I-th of N parts (see `merge`).",
    default="1/1",
    metavar="I/N",
    convert=read_shard,
    wrong="no part of a whole (got '{}', expected I/N such as 2/4)",
)
NO_CACHE = flag("no_cache", "--no-cache", explained="Analyse every file again.")
