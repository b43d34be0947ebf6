"""Rules about declarations: estimates and docstrings."""
