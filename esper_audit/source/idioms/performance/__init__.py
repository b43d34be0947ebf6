"""Graph breaks and waits for the device."""
