"""Rules about what code declares: counts, docstrings, types and markers."""
