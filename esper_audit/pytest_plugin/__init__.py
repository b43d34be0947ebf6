"""Checks and promises as pytest items.

Public: `plugin` (the entry point), `promises`.
"""
