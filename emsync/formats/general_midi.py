"""The numbers of General MIDI that emsync writes, reads and plays."""

DRUM_CHANNEL = 9  # counted from 0
CHANNELS = (DRUM_CHANNEL, 0, 1, 2, 3)  # of each class in ``emsync.music.CLASSES``
VOLUME, PAN, EXPRESSION = 7, 10, 11  # controllers
