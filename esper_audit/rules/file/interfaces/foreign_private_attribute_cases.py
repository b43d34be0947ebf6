"""The cases of the rule `foreign-private-attribute`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "an attribute of `self`",
        """
        class A:
