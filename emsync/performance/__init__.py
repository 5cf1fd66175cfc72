"""How composed notes are played: who plays them, how loud, with which controllers."""
