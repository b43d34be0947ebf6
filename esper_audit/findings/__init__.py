"""The records that all rooms exchange, and the errors.

Public: every file of it.
"""
