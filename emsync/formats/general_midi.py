"""The numbers of General MIDI that emsync writes, reads and plays."""

DRUM_CHANNEL = 9  # counted from 0
MELODIC = tuple(n for n in range(16) if n != DRUM_CHANNEL)  # all other channels
VOLUME, PAN, EXPRESSION = 7, 10, 11  # controllers
FULL = 127  # of a controller
