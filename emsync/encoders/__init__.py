"""Networks that others have trained to see and to hear, rebuilt here; their weights are shipped."""
