"""What the classes of one file bind, read and inherit."""
