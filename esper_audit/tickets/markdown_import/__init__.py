"""Tickets that people wrote in Markdown, read so that no word is lost.

Public: `batch`, `ticket_form`, `report`, `import_report`.
"""
