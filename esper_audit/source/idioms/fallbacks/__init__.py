"""Replaced arguments, exception handlers, dispatches on a value and entries of caches."""
