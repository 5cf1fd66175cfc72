"""Music that follows a video: video in, multi-instrument score out."""

__version__ = "0.1.0"
