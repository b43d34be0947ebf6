"""The index: definitions, calls, reads, writes and tests of every name.

Public: `index`, `records`.
"""
