"""What draws from a network or reads folders, and measures."""
