"""The steps of a whole run and the actions of a user on tickets.

Public: `run`, `sync`, `verify`, `lint`, `actions`.
"""
