"""The plan of a piece: sections, chords, players and form, between analysis and targets."""
