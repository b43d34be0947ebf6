"""Show the configuration that is in force."""
