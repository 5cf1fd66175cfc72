"""From files of music to training examples."""
