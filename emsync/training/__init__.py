"""Learning from a store of songs."""
