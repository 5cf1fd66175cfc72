"""Music brought to a film: tempo, hits on the cuts, ending, loudness."""
