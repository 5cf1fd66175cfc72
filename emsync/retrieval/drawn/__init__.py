"""Films that are drawn to songs, to learn from: what they do, how they look, what is heard."""
