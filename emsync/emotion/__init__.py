"""What pictures feel like: the valence-arousal plane, its estimators, states over time."""
