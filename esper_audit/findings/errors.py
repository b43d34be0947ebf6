"""The errors of esper-audit, with messages of one form.

A message reads `place: what is wrong (got X, expected Y). Do Z.`
"""

from __future__ import annotations


class EsperAuditError(Exception):
    """An error that stops a command with exit status 2."""


class ConfigError(EsperAuditError):
    """A configuration file is invalid."""


class UsageError(EsperAuditError):
    """The arguments of the command line are invalid, or exclude each other."""


class RuleLoadError(EsperAuditError):
    """A rule cannot be imported, or a part of its specification is missing."""


class ContractError(EsperAuditError):
    """A file of contracts is invalid, or a check refers to an unknown contract."""


class TicketError(EsperAuditError):
    """A ticket file is invalid at a line and key, which the message names."""


class WriteError(EsperAuditError):
    """A file cannot be written and is unchanged."""


class ChangedMeanwhileError(WriteError):
    """A file has another content than the one from which its new content was made."""


class GitError(EsperAuditError):
    """Git is missing, or a git command failed."""


FAILURES = (Exception, SystemExit)  # what code of a rule or subject may raise


def reason_of(error: OSError | ValueError) -> str:
    """Return the reason of the system for an error, without the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
