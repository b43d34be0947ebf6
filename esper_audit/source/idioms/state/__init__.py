"""Keys that are saved and loaded, values and layers that a module holds, and its modes."""
