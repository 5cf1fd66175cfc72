"""Drawn films as files, to look at and to listen to."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from emsync.arrays import Float32s, Picture
from emsync.files import atomic_write
from emsync.retrieval.drawn.following import RATE
from emsync.retrieval.drawn.playing import RATE as SOUND_RATE
from emsync.sound.encode import in_words
from emsync.targets import make_folder

# x264 decides by its macroblock tree otherwise each time, even on one thread
H264 = {"crf": "18", "threads": "1", "x264-params": "mbtree=0"}


def keep_film(path: Path, pictures: Sequence[Picture], samples: Float32s) -> None:
    """Write pictures in blue, green and red, and (N,) samples, as an .mp4, always the same."""
    import av

    make_folder(path.parent)
    with (
        atomic_write(path) as part,
        in_words(f"cannot write {str(path)!r}"),
        av.open(f"file:{part}", "w", options={"fflags": "bitexact"}) as film,
    ):
        rate = Fraction(RATE).limit_denominator(1001)
        shown: Any = film.add_stream("libx264", rate=rate, options=H264)
        shown.height, shown.width = pictures[0].shape[:2]
        shown.pix_fmt = "yuv420p"
        sounding: Any = film.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for picture in pictures:
            film.mux(shown.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        film.mux(shown.encode(None))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "fltp", "mono")
        frame.sample_rate, frame.pts = SOUND_RATE, 0
        film.mux(sounding.encode(frame))
        film.mux(sounding.encode(None))
