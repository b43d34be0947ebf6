"""The probes, one a file; the file's name is the probe's id."""
