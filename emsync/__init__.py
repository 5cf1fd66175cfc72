"""Music that follows a video: video in, multi-instrument score out."""
