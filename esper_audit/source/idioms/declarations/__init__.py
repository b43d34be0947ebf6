"""What code declares about sizes and counts."""
