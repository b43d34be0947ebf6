"""What a rule is, which rules exist, which are on, and what suppresses their findings.

Public: `rule`, `tree_rule`, `specification`, `finding_builder`, `registry`, `selection`, `catalogue`, `suppression`.
"""
