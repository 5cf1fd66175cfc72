"""What ``benchmark.py`` measures, a theme a module."""
