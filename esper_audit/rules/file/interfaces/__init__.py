"""Rules about the interfaces between objects."""
