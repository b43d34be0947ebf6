"""Argument fallbacks and exception handlers."""
