"""Metrics that training decisions read."""
