"""Defaults of arguments, and caught exceptions."""
