"""What a whole run, or a person, does: check, probe, tickets, claims and reports in order.

Public: `run`, `sync`, `verify`, `lint`, `actions`.
"""
