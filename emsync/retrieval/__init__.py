"""Music and films embedded alike: features, pairs to learn from, networks, and their training."""
