"""Music for many films: which ones, what is made of each, on which machines."""
