"""The Python API: its names, how little importing costs, and that the README's lines run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import emsync
from emsync.demo import draw_clip
from emsync.errors import AssetError, UsageError
from emsync.model import hub
from emsync.model.composer import Composer

README = Path(__file__).parents[1] / "README.md"


def test_the_public_names_are_sorted_documented_and_there() -> None:
    assert emsync.__all__ == sorted(emsync.__all__)
    assert set(emsync.__all__) <= set(dir(emsync))
    for name in emsync.__all__:
        value = getattr(emsync, name)
        assert name == "__version__" or value.__doc__
        assert name == "__version__" or getattr(emsync, name) is value
    with pytest.raises(AttributeError, match="no attribute 'compose'"):
        emsync.compose  # noqa: B018


@pytest.mark.slow
def test_a_name_is_a_function_also_once_its_module_is_imported() -> None:
    code = (
        "import emsync.matching.match, emsync.pipeline, emsync.formats.midi, emsync.sound.audio; "
        "import emsync; "
        "assert all(callable(getattr(emsync, name)) for name in emsync.__all__[:-1] "
        "if name != '__version__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_emsync_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'av', 'cv2', 'librosa', 'huggingface_hub', 'matplotlib'}"
    code = f"import sys, emsync, emsync.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_the_readmes_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    draw_clip(Path("clip.mp4"), 10.0)  # four chords need four bars
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {
        "clip.mp4", "score.mid", "with-music.mp4",
    }  # fmt: skip
    assert "a cut at 3.40 s" in capsys.readouterr().out
    assert emsync.check("score.mid").ok


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", plt.close)
    monkeypatch.chdir(tmp_path)
    draw_clip(Path("clip.mp4"), 5.0)
    cells = json.loads((README.parent / "docs" / "notebook.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # none are stored
            exec("".join(cell["source"]), names)
    assert {path.name for path in tmp_path.iterdir()} == {
        "clip.mp4", "analysis.json", "score.mid", "scored.mp4", "clip-score",
    }  # fmt: skip


@pytest.mark.slow
def test_a_composition_shows_itself_and_saves_by_suffix(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_clip(Path("clip.mp4"), 2.0)
    composition = emsync.generate("clip.mp4", emsync.Options(candidates=1), checkpoint=small)
    again = emsync.generate(
        "clip.mp4", emsync.Options(candidates=1), checkpoint=Composer.from_pretrained(small)
    )
    assert again.piece.onsets.tolist() == composition.piece.onsets.tolist()  # loaded once, reused
    assert composition.to_json()["notes"] == len(composition.piece)
    assert "clip.mp4" in repr(composition)
    page = composition._repr_html_()
    assert page.startswith("<iframe srcdoc=") and "&lt;svg" in page
    sound = composition.audio()
    assert sound.duration == pytest.approx(2.0) and "<audio" in sound._repr_html_()
    for name in ("a.mid", "a.wav", "a.mkv", "all"):
        composition.save(name)
    assert {path.name for path in tmp_path.iterdir()} == {
        "clip.mp4", "a.mid", "a.wav", "a.mkv", "all",
    }  # fmt: skip
    emsync.render("a.mid", "b.wav", duration=1.0)
    assert Path("b.wav").stat().st_size == 44 + 4 * 44100
    with pytest.raises(UsageError, match=r"cannot save as 'a.avi'; end its name with one of .mid"):
        composition.save("a.avi")
    with pytest.raises(UsageError, match=r"'clip\.mp4' is the video itself"):
        composition.save("clip.mp4")


def test_options_are_refused_when_they_are_made() -> None:
    for wrong, words in (
        ({"valence": 3.0}, "valence is 3.0"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"instruments": ["piano", "some"]}, "'some' is no instrument"),
        ({"chords": "Am H"}, "chord 2: 'H' is no chord"),
        ({"mode": "dorian"}, "mode is 'dorian'"),
        ({"max_tempo_change": 2.0}, "a tempo change of 2"),
        ({"humanize": 1.2}, "humanize is 1.2"),
        ({"seed": -1}, "the seed is -1"),
        ({"emotion": "bliss"}, "unknown emotion 'bliss'"),
        ({"sync": "bar"}, "sync is 'bar'"),
    ):
        with pytest.raises(UsageError, match=words):
            emsync.Options(**wrong)
    assert emsync.Options(emotion="joy").emotion == emsync.Options(emotion="joy=2").emotion


def test_the_hub_is_asked_only_by_its_prefix(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def snapshot(repository: str, **_: object) -> str:
        asked.append(repository)
        return str(small)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(AssetError, match="no checkpoint 'someone/small'"):
        Composer.from_pretrained("someone/small")
    assert asked == []
    composer = Composer.from_pretrained("hub:someone/small")
    assert asked == ["someone/small"]
    saved: list[set[str]] = []

    class Api:
        def __init__(self, token: object = None) -> None: ...

        def create_repo(self, **_: object) -> "Api":
            return self

        repo_id = "someone/small"

        def upload_folder(self, folder_path: Path, **_: object) -> str:
            saved.append({path.name for path in folder_path.iterdir()})
            return "done"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    monkeypatch.setattr(
        hub.HubComposer,
        "generate_model_card",
        lambda *_, **__: type("Card", (), {"save": lambda _, path: Path(path).touch()})(),
    )
    composer.push_to_hub("someone/small")
    assert saved == [{"config.json", "model.safetensors", "README.md"}]


def test_a_checkpoint_that_cannot_be_fetched_is_an_asset_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def snapshot(_: str, **__: object) -> str:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(AssetError, match="cannot fetch the checkpoint 'a/b': no route to host"):
        Composer.from_pretrained("hub:a/b")
