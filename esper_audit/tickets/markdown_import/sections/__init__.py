"""The readers of the sections of the ticket form."""
