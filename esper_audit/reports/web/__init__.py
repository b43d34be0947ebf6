"""The content of `index.html`: one page with findings, tickets, contracts, probes, classes and pictures.

Public: `index_page`.
"""
