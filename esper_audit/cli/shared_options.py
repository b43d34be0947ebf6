"""Declared options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_audit.cli.declared_option import DeclaredOption, flag
from esper_audit.findings.finding import Severity

if TYPE_CHECKING:
    from esper_audit.findings.shard import Shard

SEVERITIES = tuple(severity.value for severity in Severity)


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
)
NO_CACHE = flag("no_cache", "--no-cache", explained="Analyse every file again.")
