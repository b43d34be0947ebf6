"""The one family of errors; each message says where, what was found, what was wanted, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class EsperAuditError(Exception):
    """Something kept esper-audit from doing what it was asked; the command line exits with 2."""


class ConfigError(EsperAuditError):
    """A configuration file holds something that it may not hold."""


class UsageError(EsperAuditError):
    """The command line asks for something that does not exist or does not go together."""


class RuleLoadError(EsperAuditError):
    """A rule cannot be imported or lacks a part of its specification."""


class ContractError(EsperAuditError):
    """`contracts.yaml` is not what it should be, or a check names a contract that is not in it."""


class TicketError(EsperAuditError):
    """A ticket file is not what it should be; the message names file, line and key."""


class WriteError(EsperAuditError):
    """A file cannot be written; it is as it was."""


class GitError(EsperAuditError):
    """Git is missing, or refused what was asked."""


FAILURES = (Exception, SystemExit)
