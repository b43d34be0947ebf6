"""Words for people: phrases, Markdown, wrapping, the terminal.

Public: every file of it.
"""
