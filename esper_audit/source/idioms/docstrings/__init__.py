"""Parameters, defaults and shapes that docstrings document."""
