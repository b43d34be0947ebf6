"""Copied statements and constants."""
