"""Keys that are saved and loaded."""
