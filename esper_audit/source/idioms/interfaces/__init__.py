"""Ownership of private attributes."""
