"""From songs to shipped towers: played, trained, measured and written down by the commands."""

import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scripts_loaded import load_script
from synchrony_toys import drums

from emsync.cli import main
from emsync.data.split import read_keys
from emsync.errors import UsageError
from emsync.music.piece import to_score
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.feed import FeedConfig
from emsync.synchrony.passages import Passages, Playing, play_passages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
    ),  # torch and tensorboard warn of one another
]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("ship_synchrony")


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    songs, store = tmp_path_factory.mktemp("songs"), tmp_path_factory.mktemp("passages")
    for seed in range(8):
        strokes = np.arange(0.0, 11.5, 0.25)
        kept = strokes[np.random.default_rng(seed).random(len(strokes)) < 0.7]
        to_score(drums(kept)).dump_midi(songs / f"{seed}.mid")
    play_passages(store, songs, 8, Playing(seconds=8.0, held=0.5), workers=1)
    return store


@pytest.fixture(scope="module")
def settings(passages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    path = folder / "train.toml"
    path.write_text(
        f'task = "synchrony"\npassages = "{passages}"\nout = "{folder / "run"}"\nsteps = 2\n'
        "[towers]\ndimensions = 16\nwidth = 16\nchannels = 4\n[feed]\nfilms = 2\nseconds = 4\n"
    )
    assert main(["train", str(path)]) == 0
    return path


def test_what_is_shipped_is_what_was_trained_and_says_so(
    script: ModuleType, settings: Path, passages: Path, tmp_path: Path
) -> None:
    script.ship(settings, tmp_path / "mine")
    text = (tmp_path / "mine" / "README.md").read_text()
    assert "# mine" in text and "| mine, notes |" in text and "unseen: " in text
    assert str(tmp_path) not in text
    assert Synchrony.load(tmp_path / "mine").config.dimensions == 16
    learned = len(Passages.open(passages).places("train"))
    assert len(read_keys(tmp_path / "mine")) == learned
    assert (tmp_path / "mine" / "curve.png").stat().st_size > 1000


def test_what_was_learned_from_is_not_measured_on(
    script: ModuleType, settings: Path, passages: Path
) -> None:
    store = Passages.open(passages)
    held = [row.split for row in store.rows]
    assert {"train", "held"} <= set(held)
    object.__setattr__(store, "rows", tuple(
        row.__class__(**{**vars(row), "split": "held" if row.split == "train" else "train"})
        for row in store.rows
    ))  # fmt: skip
    with pytest.raises(UsageError, match="has learned from"):
        script.synchrony.check_unseen(settings.parent / "run", store)


def test_a_checkpoint_is_no_better_than_itself(
    script: ModuleType, settings: Path, passages: Path
) -> None:
    one = str(settings.parent / "run")
    twin = shutil.copytree(one, settings.parent / "twin", dirs_exist_ok=True)
    store, feed = Passages.open(passages), FeedConfig(films=2, seconds=4)
    told = list(script.synchrony.held_out([one, str(twin)], store, feed, one))
    rows = [line for line in told if line.startswith("| twin")]
    assert len(rows) == 8  # of both kinds of films, sound and notes: as they are, and less ``run``
    assert all("+0.00 [+0.00, +0.00]" in row for row in (*rows[2:4], *rows[6:8]))
    with pytest.raises(UsageError, match="'other' is not among"):
        list(script.synchrony.held_out([one], store, feed, "other"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('out = "{passages}/x"', "would be in the store"),
        ("[towers]\nwidth = 18", "width is 18"),
        ("[feed]\nfilms = 99", "films"),
        ('adaptor = "softmax"', "adaptor"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    passages: Path, tmp_path: Path, line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.toml"
    line = line.format(passages=passages)
    out = "" if line.startswith("out") else f'out = "{tmp_path / "run"}"\n'
    path.write_text(f'task = "synchrony"\npassages = "{passages}"\nsteps = 1\n{out}{line}\n')
    assert main(["train", str(path)]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.json").exists()
