"""A demonstration for a hub space, one page of Gradio: python scripts/space.py

Gradio is no dependency of emsync: pip install 'gradio>=6'. On a space this file is app.py, and
requirements.txt names emsync and gradio. What a visitor gives and gets is deleted within two hours.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import emsync
from emsync.emotion.plane import EMOTIONS
from emsync.errors import UsageError
from emsync.options import FASTEST, SLOWEST
from emsync.progress import Progress, clock
from emsync.report.page import write_html
from emsync.video.film import open_film

AS_FILM = "as the film"
LONGEST = 120.0  # seconds of a film, so that nobody waits for long
HOUR = 3600  # seconds
WORDS = "Music that follows the cuts and the mood of your film. A minute takes half a minute."


def compose(
    film: str, mood: str, tempo: float, seed: float, folder: Path, progress: Progress
) -> tuple[Path, list[Path], str]:
    """Return the film with its music; the score and the report; what they are, in words.

    All are written to ``folder``. A ``tempo`` of 0 is the film's own.
    """
    seen = open_film(film)
    if seen.duration > LONGEST:
        raise UsageError(
            f"the film lasts {clock(seen.duration)}, here it may last {clock(LONGEST)}; cut it, "
            "or install emsync, which takes films of any length"
        )
    emotion, beats = (None if mood == AS_FILM else mood), (tempo or None)
    options = emsync.Options(emotion=emotion, tempo=beats, seed=int(seed or 0))
    made = emsync.generate(seen, options, progress=progress)
    video, score, report = (folder / n for n in ("film-with-music.mp4", "score.mid", "report.html"))
    made.write(video=video, score=score, progress=progress)
    write_html(report, made)
    return video, [score, report], made.summary()


def page() -> Any:
    import gradio as gr

    def answer(
        film: str | None,
        mood: str,
        tempo: float,
        seed: float,
        bar: Any = gr.Progress(),  # noqa: B008  (so Gradio knows it)
    ) -> Iterator[tuple[str, list[str], str]]:
        if film is None:
            raise gr.Error("Give a film first.", print_exception=False)
        with tempfile.TemporaryDirectory() as folder:
            try:
                video, files, words = compose(
                    film, mood, tempo, seed, Path(folder), lambda stage, share: bar(share, stage)
                )
            except emsync.EmsyncError as error:
                raise gr.Error(str(error), print_exception=False) from error
            yield str(video), [str(path) for path in files], words  # Gradio copies them here

    with gr.Blocks(title="emsync", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as blocks:
        gr.Markdown(f"# emsync\n{WORDS}")
        with gr.Row():
            with gr.Column():
                film = gr.Video(label="Film", sources=["upload"])
                mood = gr.Dropdown([AS_FILM, *EMOTIONS], value=AS_FILM, label="Mood")
                tempo = gr.Number(0, label=f"Tempo: {SLOWEST:g} to {FASTEST:g}; 0 suits the film")
                seed = gr.Number(0, label="Seed: another number, another piece", precision=0)
                button = gr.Button("Compose", variant="primary")
            with gr.Column():
                video = gr.Video(label="Film with music", interactive=False)
                files = gr.Files(label="Score and report", interactive=False)
                words = gr.Textbox(label="What was composed", lines=8, interactive=False)
        asked, given = [film, mood, tempo, seed], [video, files, words]
        button.click(answer, asked, given, show_progress_on=video)
    return blocks


if __name__ == "__main__":
    try:
        made = page()
    except ModuleNotFoundError as error:
        sys.exit(f"{error}: the demonstration needs Gradio; pip install 'gradio>=6'")
    made.queue(max_size=8).launch(max_file_size="200mb")
