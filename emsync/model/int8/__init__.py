"""The network for decoding on a CPU: int8, compiled."""
