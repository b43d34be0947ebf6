"""The rules of a project's own.

Public: `local_rules`, which requires that their cases hold, and `rule_cases`, which runs the cases of a rule.
"""
