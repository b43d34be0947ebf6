"""The ticket: its record, its states, its file.

Public: `ticket`, `parts`, `states`, `store`, `query`, `links`, `quotes`, `form`, `assessment`.
"""
