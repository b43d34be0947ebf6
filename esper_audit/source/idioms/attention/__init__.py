"""Calls of attention functions and their masks."""
