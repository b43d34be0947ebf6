"""What source code says: syntax, facts, the index, usage, idioms.

Public: `syntax`, `index/index`, `index/records`, `usage/tree`.
"""
