"""Training: exact resuming, the same losses however the work is shared, and what is drawn."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emsync.checkpoints import find_checkpoint, read_config
from emsync.cli import main
from emsync.data.crops import Cropping
from emsync.data.prepare import prepare
from emsync.data.split import is_held_out, song_key, split, trained_keys
from emsync.data.store import Store
from emsync.errors import AssetError, EmsyncError, InputError, UsageError
from emsync.locks import locked
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.model.weights import write_weights
from emsync.music.piece import PIANO, Piece, to_score
from emsync.options import CHECKPOINT, Sampling
from emsync.settings import settings_of
from emsync.training.accelerator import SingleProcess
from emsync.training.batches import Crops
from emsync.training.config import TrainConfig
from emsync.training.example import example, reference, write
from emsync.training.loop import optimizers, set_up, train
from emsync.training.resume import restore, save
from emsync.training.running import rate_at
from emsync.training.snapshot import Snapshot
from emsync.training.start import from_nothing
from emsync.training.words import Teller
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers.events import Events

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch, accelerate and tensorboard warn of one another

MODEL = {"width": 32, "depth": 2, "heads": 2, "context": 48, "position_channels": 16}
CONDITIONERS = ("valence_arousal", "boundaries", "onset_density")
CODE = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from emsync.training.config import TrainConfig
from emsync.training.example import example, reference, write
from emsync.training.loop import train
if __name__ == "__main__":
    def report(state, figures):
        print(state.step, flush=True)
    train(TrainConfig.load(Path(sys.argv[1])), report)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty songs, every fourth of them with a valence; song 2n and 2n + 1 are one group."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = ["path,valence,arousal,group"]
    for i in range(20):
        notes = [(PIANO, 50 + (i * n) % 30, n * 0.25, n * 0.25 + 0.2) for n in range(80)]
        to_score(Piece.of(np.array(notes))).dump_midi(folder / f"{i}.mid")
        rows.append(f"{i}.mid,{'0.5' if i % 4 == 0 else ''},,{i // 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path_factory.mktemp("store")
    prepare([folder], out, Events(), folder / "labels.csv", workers=1)
    return out


def settings(store: Path, out: Path, **changes: Any) -> TrainConfig:
    base = TrainConfig(
        store=str(store), out=str(out), conditioners=CONDITIONERS, model=MODEL, steps=8,
        batch=4, validation=0.2,
        validation_crops=4, validate_every=4, bf16=False, rate=0.01,
        cropping=Cropping(drop={"valence": 0.2, "boundaries": 0.5}),
    )  # fmt: skip
    return replace(base, **changes)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(store: Path, tmp_path: Path) -> None:
    for optimizer in ("muon", "adam"):
        whole = settings(store, tmp_path / f"{optimizer}-whole", optimizer=optimizer, decay=0.0)
        parts = replace(whole, out=str(tmp_path / f"{optimizer}-parts"))
        train(whole)
        for steps in (3, 5, 8):
            train(replace(parts, steps=steps, warm_up=0.02 * 8 / steps))
        a, b = rows(Path(whole.out)), rows(Path(parts.out))
        for row in a + b:  # a run validates at its end
            if row["step"] in ("3", "5"):
                row["validation"] = ""
        assert a == b
        assert a[0]["loss"] != a[1]["loss"] and a[7]["validation"]


def test_training_learns(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path, steps=40))
    losses = [float(row["loss"]) for row in rows(tmp_path)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5
    assert Composer.from_pretrained(tmp_path).model.config.width == 32
    assert list((tmp_path / "tensorboard").iterdir())


def toml(path: Path, config: TrainConfig) -> Path:
    values = {k: v for k, v in vars(config).items() if k not in ("model", "cropping")}
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items()]
    lines += [
        "[model]",
        *(f"{k} = {v}" for k, v in config.model.items()),
    ]
    lines += ["[cropping.drop]", *(f"{k} = {v}" for k, v in config.cropping.drop.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops_and_the_run_goes_on(
    number: int, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.py").write_text(CODE)
    config = settings(store, tmp_path / "out", steps=100_000, validate_every=10**6)
    path = toml(tmp_path / "run.toml", config)
    assert TrainConfig.load(path) == config
    run = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", path], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    for line in run.stdout:
        if int(line) == 3:
            run.send_signal(number)
            break
    run.communicate()
    assert run.returncode == 0
    done = json.loads((tmp_path / "out" / "train.json").read_text())["progress"]["step"]
    assert 3 <= done < 100
    train(replace(config, steps=done + 1, validation=0.0))
    assert [int(row["step"]) for row in rows(tmp_path / "out")] == list(range(1, done + 2))


def test_a_save_that_was_killed_half_way_counts_whole_or_not_at_all(
    store: Path, tmp_path: Path
) -> None:
    config = settings(store, tmp_path / "out", steps=2)
    composer = train(config)
    out, optims = tmp_path / "out", optimizers(composer.model, config)
    before = restore(out, composer.model, optims, config)
    assert before is not None and before.step == 2
    (out / "saving").mkdir()  # killed while writing
    (out / "saving" / "model.safetensors").write_bytes(b"half")
    assert restore(out, composer.model, optims, config) == before
    before.step = 7
    save(out, composer, optims, before, config, Snapshot.of(composer.model, optims))
    (out / "saved").mkdir()  # killed while moving: some files are in place
    (out / "train.json").replace(out / "saved" / "train.json")
    again = restore(out, composer.model, optims, config)
    assert again is not None and again.step == 7
    assert not (out / "saved").exists() and not (out / "saving").exists()


def test_a_loss_that_is_no_number_names_the_step_and_the_songs(store: Path, tmp_path: Path) -> None:
    config = settings(store, tmp_path / "out", steps=3)
    train(config)
    model = (tmp_path / "out" / "model.safetensors").read_bytes()
    composer = Composer.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        composer.model.head.weight *= 1e38  # finite, but its products are not
    composer.save_pretrained(tmp_path / "bad")
    again = replace(config, out=str(tmp_path / "new"), start_from=str(tmp_path / "bad"))
    with pytest.raises(EmsyncError, match=r"the loss is (nan|inf) at step 1; its songs: .*\.mid"):
        train(again)
    assert not (tmp_path / "new" / "model.safetensors").exists()
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == model


def test_a_run_may_begin_with_other_weights(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path / "a", steps=20))
    train(settings(store, tmp_path / "b", steps=1, start_from=str(tmp_path / "a")))
    first, last = rows(tmp_path / "b")[0], rows(tmp_path / "a")[0]
    assert float(first["loss"]) < float(last["loss"]) - 0.3


def sampling_of(folder: Path) -> tuple[float, float]:
    sampling = Composer.from_pretrained(folder).sampling
    return sampling.top_p, sampling.guidance


def test_a_run_keeps_what_the_checkpoint_it_begins_with_says(store: Path, tmp_path: Path) -> None:
    """Its sampling settings, its conditioners and their settings; one's own edits stay too."""
    shape = ModelConfig(1011, width=32, depth=1, heads=2, context=48, position_channels=16)
    conditioners = (ValenceArousal(limit=0.5), Boundaries(horizon=6.0))
    liked = Sampling(top_p=0.98, guidance=3.0)
    old = Composer(EventTransformer(shape, conditioners), Events(), sampling=liked)
    old.save_pretrained(tmp_path / "old")
    config = settings(
        store, tmp_path / "new", model={}, steps=1, conditioners=None,
        start_from=str(tmp_path / "old"),
    )  # fmt: skip
    train(config)
    new = Composer.from_pretrained(tmp_path / "new")
    assert sampling_of(tmp_path / "new") == (0.98, 3.0)
    assert tuple(new.model.conditioners) == conditioners
    edited = json.loads((tmp_path / "new" / "config.json").read_text())
    edited["sampling"]["guidance"] = 2.0
    (tmp_path / "new" / "config.json").write_text(json.dumps(edited))
    shutil.rmtree(tmp_path / "old")  # a run that goes on has all it needs
    assert train(replace(config, steps=2)).sampling.guidance == 2.0
    assert sampling_of(tmp_path / "new") == (0.98, 2.0)
    train(settings(store, tmp_path / "anew", steps=1))
    assert sampling_of(tmp_path / "anew") == (Sampling().top_p, Sampling().guidance)


def test_a_run_may_begin_with_a_shipped_checkpoint_by_its_name(store: Path) -> None:
    config = TrainConfig(str(store), "nowhere", steps=1, start_from=CHECKPOINT)
    run = set_up(config, SingleProcess(bf16=False))
    shipped = Composer.from_pretrained(CHECKPOINT)
    assert tuple(run.composer.model.conditioners) == tuple(shipped.model.conditioners)
    assert run.composer.sampling == shipped.sampling
    for name, weight in run.composer.model.state_dict().items():
        assert torch.equal(weight, shipped.model.state_dict()[name])


def test_a_run_from_nothing_has_the_conditions_of_the_shipped_checkpoint(store: Path) -> None:
    config = TrainConfig(str(store), "nowhere", steps=1, model=MODEL)
    shape, conditioners = from_nothing(config)
    shipped = read_config(find_checkpoint(CHECKPOINT))
    assert [c.name for c in conditioners] == [entry["name"] for entry in shipped["conditioners"]]
    assert shape.added == tuple(shipped["model"].get("added", ())) and shape.width == 32
    with pytest.raises(UsageError, match=r"\[cropping.drop\] 'valense' is none of"):
        from_nothing(replace(config, cropping=Cropping(drop={"valense": 0.1})))


def test_without_accelerate_and_tensorboard_one_process_trains(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings(store, tmp_path / "with", steps=2))
    for module in ("accelerate", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    train(settings(store, tmp_path / "without", steps=2))
    assert rows(tmp_path / "without") == rows(tmp_path / "with")
    assert not (tmp_path / "without" / "tensorboard").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(AssetError, match=r"python -m pip install 'emsync\[train\]'"):
        train(settings(store, tmp_path / "two", steps=2))


def test_parts_of_a_batch_add_up_to_the_batch(store: Path, tmp_path: Path) -> None:
    still = {"model": {**MODEL, "dropout": 0.0}}
    train(settings(store, tmp_path / "one", **still))
    train(settings(store, tmp_path / "four", accumulate=4, **still))
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "four"), strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-3)
        assert float(a["norm"]) == pytest.approx(float(b["norm"]), rel=1e-2)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(
    store: Path, tmp_path: Path, in_two_processes: Callable[..., None]
) -> None:
    still = {"model": {**MODEL, "dropout": 0.0}, "steps": 4}
    train(settings(store, tmp_path / "one", **still))
    (tmp_path / "run.py").write_text(CODE)
    path = toml(tmp_path / "run.toml", settings(store, tmp_path / "two", **still))
    in_two_processes(tmp_path / "run.py", path)
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-4)
        assert float(a["norm"]) == pytest.approx(float(b["norm"]), rel=1e-3)


def crops_of(store: Path, weight: float = 2.0) -> tuple[Store, Crops]:
    opened = Store.open(store)
    songs, _ = split(opened, 0.2)
    return opened, Crops(opened, songs, (), 48, Cropping(), weight, seed=0)


def test_a_labelled_song_is_drawn_twice_as_often(store: Path) -> None:
    _, crops = crops_of(store)
    drawn = Counter(crops.song(i) for i in range(4000))
    labelled = [n for song, n in drawn.items() if song.valence is not None]
    other = [n for song, n in drawn.items() if song.valence is None]
    assert len(drawn) == len(crops.songs) and labelled and other
    assert np.mean(labelled) / np.mean(other) == pytest.approx(2.0, rel=0.1)


def test_groups_that_are_held_out_are_never_drawn(store: Path) -> None:
    opened, crops = crops_of(store)
    songs, held = split(opened, 0.2)
    assert held and len(songs) + len(held) == len(opened.songs)
    assert not {s.group for s in songs} & {s.group for s in held}
    assert all(not is_held_out(crops.song(i).group, 0.2) for i in range(500))
    keys = trained_keys(opened, 0.2)
    assert set(keys) == {song_key(s.path) for s in songs}


def test_the_split_depends_on_the_group_s_name_alone_and_has_the_share_asked_for() -> None:
    held = [is_held_out(str(i), 0.05) for i in range(20_000)]
    assert np.mean(held) == pytest.approx(0.05, abs=0.005)
    assert held[:40] == [is_held_out(str(i), 0.05) for i in range(40)]
    assert [i for i in range(60) if is_held_out(str(i), 0.05)] == [
        i for i in range(60) if is_held_out(str(i), 0.5) and is_held_out(str(i), 0.05)
    ]


def test_a_crop_is_the_same_whoever_asks(store: Path) -> None:
    (_, one), (_, two) = crops_of(store), crops_of(store)
    for i in (0, 5, 10**9):
        assert torch.equal(one[i]["ids"], two[i]["ids"])
        assert one.song(i) == two.song(i)


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(p, 0.1, 0.4) for p in np.linspace(0, 1, 101)]
    assert rates[0] == 0 and rates[-1] == 0 and max(rates) == 1
    assert np.diff(rates)[:10].min() > 0 > np.diff(rates)[61:].max()
    assert rate_at(0.0, 0.0, 0.0) == 1


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("stepz = 1", UsageError, "'stepz' is no setting; there are .*'steps'"),
        ("[model]\nwidht = 1", UsageError, r"\[model\] 'widht' is no setting"),
        ("[model]\nvocab_size = 9", UsageError, r"\[model\] 'vocab_size' is no setting"),
        ("[cropping]\nunmarked = 0.1", UsageError, "'unmarked' is now called 'chord_dropout'"),
        ("[cropping]\nmoved = 0.1", UsageError, r"\[cropping\] 'moved' is now .* 'boundary_jit"),
        ("[cropping]\nunasked = 0.1", UsageError, "'unasked' is now called 'condition_dropout'"),
        ("[cropping]\ntranspos = 1", UsageError, r"\[cropping\] 'transpos' is no setting"),
        (
            "steps = 1\nconditioners = []\n[cropping.drop]\nvalense = 0.2",
            UsageError,
            "'valense' is none of",
        ),
        ("steps = 1\nmodel = 3", UsageError, "'model' is a table"),
        ("", UsageError, "set steps, tokens or minutes"),
        (
            "steps = 1\noptimizer = 'sgd'",
            UsageError,
            "'sgd'; choose one of muon, adam",
        ),
        ("steps = 1\nbatch = 6\naccumulate = 4", UsageError, "6 is not a multiple of accumulate 4"),
        (
            "steps = 1\naccumulate = 0",
            UsageError,
            "is 0, not a whole number from 1 to 65536",
        ),
        ("steps = 'many'\nbatch = 'x'", UsageError, "run.toml"),
        ("steps = ", InputError, "is not TOML"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    text: str, error: type[Exception], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text('store = "s"\nout = "o"\n' + text)
    with pytest.raises(error, match=reason):
        TrainConfig.load(tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("steps = -1", "steps is -1, not a whole number from 0 to"),
        ("steps = 1\nbatch = 0", "batch is 0, not"),
        ("steps = 1\nrate = nan", "run.toml' is not TOML"),
        ("steps = 1\nrate = 0", "rate is 0, not a number from 1e-09 to 10"),
        ("steps = 1\nvalidation_crops = 0", "validation_crops is 0"),
        ("steps = 1\nvalidate_every = 0", "validate_every is 0"),
        ("steps = 1\nseed = -1", "seed is -1"),
        ("steps = 1\nbf16 = 1", "bf16 is 1, not true or false"),
        ("steps = 1\nstart_from = 3", "start_from is 3, not text"),
        ("steps = 1\nconditioners = 'metre'", "conditioners is 'metre', not a list"),
        ("steps = 1\nconditioners = [1]", "an entry of conditioners is 1"),
        ("steps = 1\nconditioners = ['metre', 'metre']", "'metre' is named twice"),
        ("steps = 1\n[model]\ndepth = 1000000000", r"\[model\] depth is 1000000000, not"),
        ("steps = 1\n[model]\nwidth = 0", r"\[model\] width is 0, not"),
        ("steps = 1\n[model]\nwidth = 100\nheads = 7", "leave heads out, which gives 2"),
        ("steps = 1\n[model]\ndropout = 'x'", r"\[model\] dropout is 'x'"),
        ("steps = 1\n[cropping]\ntranspose = -1", r"\[cropping\] transpose is -1"),
        ("steps = 1\n[cropping.drop]\nvalence = 2", r"\[cropping\] drop.valence is 2"),
        ("x = " + "[" * 5000, "deep"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_key_and_range(
    text: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text('store = "s"\nout = "o"\n' + text)
    with pytest.raises((UsageError, InputError), match=reason):
        TrainConfig.load(tmp_path / "run.toml")


def test_a_network_that_memory_cannot_hold_is_refused_before_any_is_asked_for(
    store: Path, tmp_path: Path
) -> None:
    large = {"width": 8192, "depth": 256}
    with pytest.raises(UsageError, match=r"a network of 2\.\d+e\+11 parameters takes"):
        train(settings(store, tmp_path, model=large))


@pytest.mark.parametrize("width", [8, 36, 64, 100, 192, 333])
def test_what_is_left_out_of_a_network_follows_its_width(width: int) -> None:
    for conditioners in ((), (Boundaries(),), (Boundaries(), ValenceArousal(), OnsetDensity())):
        model = EventTransformer(ModelConfig(20, width=width, context=8), conditioners)
        features = {c.name: torch.zeros(1, 4 if c.place == "position" else 2, c.channels)
                    for c in conditioners}  # fmt: skip
        assert model(torch.zeros(1, 4, dtype=torch.int64), features).shape == (1, 4, 20)
    shapes = [ModelConfig(20, width=w) for w in (64, 256, 512)]
    assert [(s.depth, s.heads) for s in shapes] == [(1, 1), (6, 4), (11, 8)]


def test_the_example_holds_every_setting_and_trains(store: Path, tmp_path: Path) -> None:
    text = example()
    kinds = (TrainConfig, ModelConfig, Cropping)
    for name in {s.name for kind in kinds for s in settings_of(kind)} - {"vocab_size"}:
        assert re.search(rf"^(# )?{name} = |^\[(cropping\.)?{name}\]", text, re.M), name
    uncommented = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M)
    (tmp_path / "all.toml").write_text(uncommented)
    TrainConfig.load(tmp_path / "all.toml")  # the defaults that it names are ones that can be
    path = write(tmp_path / "run.toml")
    with pytest.raises(UsageError, match="is there already"):
        write(path)
    assert TrainConfig.load(path).model["width"] == 256
    small = text.replace('"store"', json.dumps(str(store))).replace("minutes = 30.0", "steps = 2")
    small = small.replace('"runs/mine"', json.dumps(str(tmp_path / "out")))
    small = small.replace("# bf16 = true", "bf16 = false").replace("width = 256", "width = 32")
    small = small.replace("context = 766", "context = 48")
    path.write_text(small)
    shape = train(TrainConfig.load(path)).model.config
    assert (shape.width, shape.depth, shape.heads, shape.position_channels) == (32, 1, 1, 16)


def test_the_recipe_holds_the_reference_of_every_setting() -> None:
    recipe = Path(__file__).parents[1] / "docs" / "recipes" / "train.md"
    assert reference() in recipe.read_text(encoding="utf-8")


def test_a_run_tells_how_it_goes_and_where_it_is(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(store, tmp_path / "out", steps=4)
    path, shown = toml(tmp_path / "run.toml", config), []
    teller = Teller(config, lambda stage, share: shown.append((stage, share)))
    train(config, teller.tell)
    assert shown[0][0].startswith("Training, step 1, loss ") and shown[-1][1] == 1.0
    assert re.search(r"step 4, loss [\d.]+, held out [\d.]+, \d+ tok/s$", shown[-1][0])
    assert len({stage.partition(",")[0] for stage, _ in shown}) == 1  # one bar
    assert main(["train", str(path)]) == 0  # its budget is spent
    out = capsys.readouterr().out
    assert "its budget is spent" in out
    assert f"emsync generate clip.mp4 --out score.mid --checkpoint {tmp_path / 'out'}" in out
    path = toml(path, replace(config, steps=6))
    assert main(["train", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path / 'out'}: 6 steps, " in out and ", loss " in out and ", held out " in out


def test_the_first_save_that_fails_says_that_nothing_is_saved(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    config = settings(store, tmp_path / "out", steps=1)
    monkeypatch.setattr("emsync.training.resume.write_weights", full)
    with pytest.raises(EmsyncError, match="nothing of the run is saved yet"):
        train(config)
    assert not list((tmp_path / "out").glob("*.safetensors"))
    assert not (tmp_path / "out" / "saving").exists()
    monkeypatch.setattr("emsync.training.resume.write_weights", write_weights)
    train(config)
    monkeypatch.setattr("emsync.training.resume.write_weights", full)
    with pytest.raises(EmsyncError, match="the last save is good"):
        train(replace(config, steps=2))
    monkeypatch.setattr("emsync.training.resume.write_weights", write_weights)
    train(replace(config, steps=2))


def test_two_runs_cannot_train_in_one_folder(store: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out", "training in"):
        with pytest.raises(EmsyncError, match="another process is training in"):
            train(settings(store, tmp_path / "out", steps=1))
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    train(settings(store, tmp_path / "out", steps=1))
    assert not (tmp_path / "out" / ".lock").exists()


def test_a_damaged_run_is_refused_and_not_gone_on_with(store: Path, tmp_path: Path) -> None:
    config, out = settings(store, tmp_path, steps=1), tmp_path
    train(config)
    more = replace(config, steps=2)
    for name, contents in {
        "train.json": (b"{", b"[]", b"{}", b'{"config": {"optimizer": "muon"}}',
                       b'{"config": {"optimizer": "muon"}, "progress": {"step": -1}}'),
        "optimizer.safetensors": (b"", b"\xff" * 100),
        "metrics.csv": (b"step\nx\n", b"\xff"),
        "trained.npy": (b"",),
    }.items():  # fmt: skip
        good = (out / name).read_bytes()
        for content in contents:
            (out / name).write_bytes(content)
            if name == "trained.npy":  # written anew
                continue
            with pytest.raises((AssetError, InputError)):
                train(more)
        (out / name).write_bytes(good)
    save_file({"0.0.exp_avg": torch.zeros(3)}, out / "optimizer.safetensors")
    with pytest.raises(AssetError, match="does not fit the network"):
        train(more)


def test_a_run_cannot_change_its_optimizer(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path, steps=1))
    with pytest.raises(UsageError, match="began with 'muon', not 'adam'"):
        train(settings(store, tmp_path, steps=2, optimizer="adam"))


def test_a_store_without_songs_to_train_on_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no song to train on"):
        train(settings(store, tmp_path, validation=1.0))
