"""Source as text, `ast` and LibCST.

Public: every file of it.
"""
