"""The pytest plugin: checks and promises as test items.

Public: `plugin` (the entry point), `promises`.
"""
