"""Make the README's pictures and sound: python scripts/showcase.py [PART ...]

They are made of the demonstration. The parts are "report", docs/images/report.png, the upper part
of its report, and docs/sounds/demo.mp3; and "studio", docs/images/studio.png, for which playwright
and a Chromium are needed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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
WINDOW: Any = {"width": 1440, "height": 1120}  # of the studio
PATIENCE = 300_000  # milliseconds for what takes a while
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = {"report": report, "studio": studio}
    parser.add_argument("parts", nargs="*", choices=parts, default=list(parts))
    for part in parser.parse_args().parts:
        parts[part]()


def report() -> None:
    """Compose for the demonstration's clip, and show its report and its sound."""
    with tempfile.TemporaryDirectory() as folder:
        clip, drawn = Path(folder) / "clip.mp4", Path(folder) / "report.png"
        draw_clip(clip)
        composition = emsync.generate(clip, emsync.Options(seed=SEED))
        write_png(drawn, composition)
        with Image.open(drawn) as picture:
            foot = round((timeline_foot(composition) + MARGIN) * DOTS)
            save_small(picture.crop((0, 0, picture.width, foot)), "report.png")
    (DOCS / "sounds").mkdir(exist_ok=True)
    write_mp3(composition.audio(), DOCS / "sounds" / "demo.mp3")
    print(composition.summary())


def studio() -> None:
    """Compose for the demonstration's clip in the studio, and show its page."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, CHROMIUMS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "-m", "emsync", "studio", "--no-browser", "--home", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = re.findall(r"http://\S+", server.stdout.readline())[0]
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WINDOW, color_scheme="dark")
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.get_by_role("button", name="try the drawn clip").click()
        page.get_by_role("button", name="Compose 4 pieces").click()
        cancel = page.get_by_role("button", name="Cancel", exact=True).first
        cancel.wait_for()
        cancel.wait_for(state="hidden")
        page.keyboard.press("2")
        page.locator("em-player[data-sound=ready]").wait_for()
        page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(8.4))")
        page.wait_for_timeout(2000)
        shown = Path(folder) / "studio.png"
        page.screenshot(path=shown)
        browser.close()
        server.terminate()
        server.wait()
        with Image.open(shown) as picture:
            save_small(picture, "studio.png")


def save_small(picture: Image.Image, name: str) -> None:
    """Write a picture of few colours into the documentation."""
    full = picture.convert("RGB")
    palette = full.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    colours = np.array(palette.getpalette())
    palette.putpalette(np.where(colours >= 250, 255, colours).tolist())  # paper is white
    small = full.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(DOCS / "images" / name, optimize=True)


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
