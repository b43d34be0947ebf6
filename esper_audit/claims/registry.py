"""Which module answers a claim: `kinds/<kind>.py`, imported when the first claim of its kind is answered."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Protocol

from esper_audit.claims.claim import Claim
from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.reply import Reply

SHELF = "esper_audit.claims.kinds"


class ClaimKind(Protocol):
    """The functions of a module on the shelf, which take claims of its kind only."""

    def needs(self, claim: Claim, context: ClaimContext) -> Iterable[Need]:
        """Return what has to run before the claim can be answered."""

    def answer(self, claim: Claim, context: ClaimContext) -> Reply:
        """Return the answer with its evidence, after what `needs` returned has run."""


def kind_of(claim: Claim) -> ClaimKind:
    """Return the module that answers claims of this kind."""
    module: ClaimKind = importlib.import_module(f"{SHELF}.{claim.kind}")
    return module


def needs(claim: Claim, context: ClaimContext) -> Iterable[Need]:
    """Return what has to run before a claim can be answered."""
    return kind_of(claim).needs(claim, context)


def answer(claim: Claim, context: ClaimContext) -> Reply:
    """Return the answer to a claim with its evidence, after what `needs` returned has run."""
    return kind_of(claim).answer(claim, context)
