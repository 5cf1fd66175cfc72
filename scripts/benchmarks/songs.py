"""How fast songs are read and tokenized."""

import time
from pathlib import Path
from typing import Any

SONGS = 300  # to prepare, at most


def preparing(songs: Path) -> dict[str, Any]:
    """Return songs a second of one process that reads and tokenizes Lakh Pianoroll."""
    from emsync.data.lakh import read_lakh
    from emsync_tokenizers.events import Events

    files = sorted(songs.rglob("*.npz"))[:SONGS]
    tokenizer = Events()
    start = time.perf_counter()
    tokens = sum(len(tokenizer.encode(read_lakh(path))) for path in files)
    spent = time.perf_counter() - start
    return {"songs": len(files), "songs_per_second": len(files) / spent, "tokens": tokens}
