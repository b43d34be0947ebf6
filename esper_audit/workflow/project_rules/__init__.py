"""Tests of rules: the cases in their classes, fixture files, and what is required of local rules.

Public: `rule_cases`, `rule_fixtures`, `local_rules`.
"""
