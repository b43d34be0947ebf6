"""Text for the user: phrases, Markdown, wrapping, styles, progress.

Public: every file of it.
"""
