"""Films that are drawn to the accents of a song, in many kinds of movement."""
