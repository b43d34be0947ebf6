"""Answers the claim `readers`: how often a name is read, below a path or anywhere."""

from __future__ import annotations

import os

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.counts import PossibleCount, compare_counts, first_places, other_roles
from esper_audit.claims.needs import Need
from esper_audit.claims.records import ReadersClaim
from esper_audit.claims.reply import Reply, stale
from esper_audit.text.markdown import count


def needs(claim: ReadersClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return nothing: the index has the reads."""
    return ()


def answer(claim: ReadersClaim, context: ClaimContext) -> Reply:
    """Return whether the index has as many reads as claimed."""
    for path in filter(None, (claim.under, claim.outside)):
        if not _is_in_tree(context, path):
            return stale(f"there is nothing at {path}")
    mentions = context.index.mentions(claim.of)
    if mentions.is_complete and not mentions.items:
        return stale(f"nothing in the tree is called {claim.of}")
    reads = context.index.readers(claim.of, under=claim.under, outside=claim.outside)
    counted = [read for read in reads.items if read.place.role is claim.among]
    certain = [read for read in counted if not read.by_string]
    unread = tuple(problem.path for problem in reads.not_looked_at)
    found = PossibleCount(len(certain), len(counted) - len(certain), unread)
    roles = other_roles((read.place.role for read in reads.items), claim.among)
    number = count(len(counted), f"{claim.among} read")
    description = f"{number} of {claim.of}{_scope(claim)}{roles}"
    places = first_places(read.place for read in counted)
    return compare_counts(found, claim.count, description, places)


def _scope(claim: ReadersClaim) -> str:
    under = f" under {claim.under}" if claim.under else ""
    return under + (f" outside {claim.outside}" if claim.outside else "")


def _is_in_tree(context: ClaimContext, path: str) -> bool:
    """Return whether a folder, file or dotted package is in the tree."""
    if os.path.exists(os.path.join(context.root, path)):
        return True
    below = path.replace(".", "/")
    return any(
        f"/{below}/" in f"/{file}" or f"/{file}".endswith(f"/{below}.py") for file in context.files
    )
