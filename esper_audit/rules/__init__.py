"""What a rule is, which there are, which are on, and what silences them.

Public: `rule`, `tree_rule`, `registry`, `selection`, `catalogue`, `suppressions`.
"""
