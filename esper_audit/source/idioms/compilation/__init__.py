"""Where a compiled graph breaks."""
