"""Markdown pages, terminal views and output formats.

Public: `pages` (all pages of a run), the terminal views `ticket_list`, `ticket_view`,
`verification_text`, `unverifiable_claims`, `reference_listing` and `rules_page`, and the folder `formats`.
"""
