"""Which names of a function share storage with an argument, and what writes into it."""
