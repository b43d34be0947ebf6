"""Calls, values and statements followed within one file."""
