"""Films: opened safely, watched once; cuts, motion, timecode."""
