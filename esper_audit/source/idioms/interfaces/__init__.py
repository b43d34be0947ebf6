"""Ownership of private attributes, keywords that a call may pass, and the names of torch."""
