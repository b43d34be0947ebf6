"""The records and errors that all other packages use.

Public: every file of it.
"""
