"""Rules about state: what is saved and loaded, shared, stored, or changed in place."""
