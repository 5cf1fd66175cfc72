"""The studio: a local page to see a film and its plan, hear its music, and change both by hand.

``serve`` starts it, ``app`` has its routes. What needs time is done by one worker process, so the
server itself never imports torch.
"""
