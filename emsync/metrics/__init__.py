"""Measurements of music against video and of models against music; one module for each task."""
