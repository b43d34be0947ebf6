"""Norms, running averages, sizes of layers."""
