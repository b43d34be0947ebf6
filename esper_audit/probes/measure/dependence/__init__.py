"""What an output depends on: positions, rows, padding and options."""
