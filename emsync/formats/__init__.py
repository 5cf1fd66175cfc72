"""Files of music and of cuts, written and read."""
