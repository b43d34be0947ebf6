"""The probes, one in each file; the file name with dashes is the id of the probe."""
