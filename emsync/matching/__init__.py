"""Music found for a film in a folder: what ranks it, what is heard of it, and the index of that."""
