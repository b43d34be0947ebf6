"""Conditions, and which branches they leave."""
