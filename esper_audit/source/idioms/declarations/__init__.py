"""What code declares: counts of parameters, types and attributes."""
