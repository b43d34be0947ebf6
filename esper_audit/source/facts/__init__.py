"""The facts of each file, cached: definitions, scopes, mentions.

Public: `records`, `module_facts`, `store`.
"""
