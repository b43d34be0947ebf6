"""The probes, one a file, found by looking into this folder; the name of the file is the id of the probe."""
