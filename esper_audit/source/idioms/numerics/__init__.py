"""Norms, moving averages and layer sizes."""
