"""Who defines, calls, reads, writes and tests what.

Public: `index`, `records`.
"""
