"""The content of `deep-dive.md`: grades, findings with evidence, what holds, tests, and what to do first.

Public: `deep_dive_page`.
"""
