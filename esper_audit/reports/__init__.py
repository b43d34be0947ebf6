"""Pages, terminal views and output formats.

Public: `pages` (all pages of a run), and the terminal views
`ticket_list`, `ticket_view`, `verification_text`, `reference_listing`.
"""
