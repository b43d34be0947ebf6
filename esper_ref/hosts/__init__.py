"""The hosts, one a file."""
