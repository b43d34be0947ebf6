"""A reader for each section of the ticket form."""
