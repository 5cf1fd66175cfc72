"""``scripts/space.py``: what its page gives for a film, and what it says where it cannot."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import emsync
from emsync.errors import InputError, UsageError
from emsync.progress import silent

PATH = Path(__file__).parents[1] / "scripts" / "space.py"
SCRIPT = runpy.run_path(str(PATH))
compose: Callable[..., Any] = SCRIPT["compose"]


@pytest.mark.slow
def test_a_film_gets_its_music_score_and_report(
    draw_cut: Callable[..., Path], tmp_path: Path
) -> None:
    clip = draw_cut(tmp_path / "clip.mp4", frames=100)
    video, files, words = compose(str(clip), "joy", 96, 3.0, tmp_path, silent)
    assert [path.name for path in files] == ["score.mid", "report.html"]
    assert all(path.stat().st_size for path in (video, *files))
    assert emsync.check(files[0]).ok
    assert "seed 3" in words and "96 beats a minute" in words


def test_what_cannot_be_is_a_sentence(
    draw_cut: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = draw_cut(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match="tempo of 999"):
        compose(str(clip), "joy", 999, 0, tmp_path, silent)
    monkeypatch.setitem(compose.__globals__, "LONGEST", 2.0)
    with pytest.raises(UsageError, match="lasts 0:02, here it may last 0:02; cut it"):
        compose(str(clip), "joy", 0, 0, tmp_path, silent)
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(InputError):
        compose(str(tmp_path / "text.mp4"), "joy", 0, 0, tmp_path, silent)


@pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")
def test_the_page_is_built() -> None:
    code = f"import runpy; runpy.run_path({str(PATH)!r})['page']()"  # Gradio leaves a loop open
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(find_spec("gradio") is not None, reason="Gradio is installed")
def test_it_says_how_gradio_is_installed() -> None:
    with pytest.raises(SystemExit, match="needs Gradio; pip install"):
        runpy.run_path(str(PATH), run_name="__main__")
