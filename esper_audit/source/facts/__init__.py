"""What each file says, as records that are cached: definitions, scopes, mentions.

Public: `records`, `module_facts`, `store`.
"""
