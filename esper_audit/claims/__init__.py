"""The kinds of claims, one a file; `claim_kinds.py` finds them, `claim.py` says what a claim is."""
