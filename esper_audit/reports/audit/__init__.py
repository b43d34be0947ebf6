"""The content of `audit.md`: findings by cause, the matrix of contracts, and what was not looked at.

Public: `audit_page` (the page), `causes` (findings by cause), `matrix_counts`, `source_links`.
"""
