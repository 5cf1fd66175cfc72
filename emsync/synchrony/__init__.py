"""Does music move with pictures? Films and music, row by row, in one space."""
