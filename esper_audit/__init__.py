"""Checks that a PyTorch code base keeps its contracts."""
