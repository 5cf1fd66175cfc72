"""Sound from scores, and sound into films."""
