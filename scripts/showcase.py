"""Make the README's picture and sound from the demonstration: python scripts/showcase.py

They are docs/images/report.png, the upper part of its report, and docs/sounds/demo.mp3.
"""

import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

import emsync
from emsync.demo import draw_clip
from emsync.report.picture import timeline_foot, write_png
from emsync.report.rows import DOTS

DOCS = Path(__file__).parents[1] / "docs"
SEED = 0  # the demonstration's own, so that a newcomer gets what is shown
MARGIN = 0.4  # inches below the time line: its numbers
COLOURS = 256
BITRATE = 96_000  # bits a second


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip, report = Path(folder) / "clip.mp4", Path(folder) / "report.png"
        draw_clip(clip)
        composition = emsync.generate(clip, emsync.Options(seed=SEED))
        write_png(report, composition)
        with Image.open(report) as picture:
            foot = round((timeline_foot(composition) + MARGIN) * DOTS)
            upper = picture.convert("RGB").crop((0, 0, picture.width, foot))
            palette = upper.quantize(COLOURS, Image.Quantize.MEDIANCUT)
            colours = np.array(palette.getpalette())
            palette.putpalette(np.where(colours >= 250, 255, colours).tolist())  # paper is white
            small = upper.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
            small.save(DOCS / "images" / "report.png", optimize=True)
    (DOCS / "sounds").mkdir(exist_ok=True)
    write_mp3(composition.audio(), DOCS / "sounds" / "demo.mp3")
    print(composition.summary())


def write_mp3(sound: emsync.Audio, path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libmp3lame", rate=sound.rate, layout="stereo")
        stream.bit_rate = BITRATE
        samples = np.ascontiguousarray(sound.samples.T)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = sound.rate
        for part in (frame, None):
            out.mux(stream.encode(part))


if __name__ == "__main__":
    main()
