"""Rules about what code declares of itself: estimates, docstrings."""
