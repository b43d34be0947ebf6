"""Copied statements and constants, and lists that repeat the members of an enumeration."""
