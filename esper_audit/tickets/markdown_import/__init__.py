"""Importing tickets and reports from Markdown without losing a word.

Public: `batch`, `ticket_reader`, `report`, `import_report`.
"""
