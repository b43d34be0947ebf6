"""`python -m esper_audit` is the command line."""

from __future__ import annotations

from esper_audit.cli import main

main()
