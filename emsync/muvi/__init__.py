"""Sound by flow matching: a film and its conditions to mel spectrograms, after MuVi."""
