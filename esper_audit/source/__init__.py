"""Static analysis of source code: syntax, facts, the index, usage, idioms.

Public: `syntax`, `index/index`, `index/records`, `usage/tree`.
"""
