"""The content of `audit.md`: findings by cause, the matrix of contracts, and what was not looked at.

Public: `audit_page` (the page), `audited_project` (what all pages are made of),
`causes` (findings by cause), `matrix_counts`, `source_links`.
"""
