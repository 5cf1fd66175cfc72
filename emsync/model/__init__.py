"""The network, what it is trained with, and how music is drawn from it."""
