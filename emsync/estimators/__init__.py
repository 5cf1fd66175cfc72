"""The estimators of emotion that come with emsync; the door to them is ``emsync.estimators``."""
