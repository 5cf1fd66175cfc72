"""Faces in pictures: where they are, and what they express. MIT-licensed networks, rebuilt."""
