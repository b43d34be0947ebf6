"""Rules about time that is lost in graph breaks and in waits for the device."""
