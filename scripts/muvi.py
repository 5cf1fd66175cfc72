"""Draw music for held-out passages with a checkpoint of MuVi, and measure it as sound.

    python scripts/muvi.py STORE OUT --model MODEL [--count 40] [--seconds 10]
        [--solve STEPS SOLVER GUIDANCE ...] [--picture PASSAGE ...]

STORE is what `emsync pairs play` wrote. The network is told what each passage meets, as a film
would ask it. In OUT is a folder of WAV files for each way of solving, beside ``real``, the
passages themselves, and ``codec``, what is left of them as latents: all by way of Griffin and Lim,
so that only the network is compared. Each is measured against the other half of the real ones;
``real`` tells how small a distance can be. Prints one JSON object. --picture draws spectrograms.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emsync.encoders.threads import one_thread
from emsync.evaluation.sound import evaluate
from emsync.muvi.checkpoint import System
from emsync.muvi.conditions import RATE
from emsync.muvi.drawing import Asked, Solving, draw_latents
from emsync.muvi.material import Material, materials
from emsync.muvi.voice import voiced
from emsync.settings import build
from emsync.sound.audio import Audio
from emsync.sound.mel import RATE as SAMPLE_RATE
from emsync.sound.mel import ROW_RATE
from emsync.synchrony.passages import Passages

WAYS = (  # steps, solver and guidance
    *(("25", "euler", guidance) for guidance in ("0", "1", "2", "4", "7")),
    *((steps, "euler", "4") for steps in ("8", "16", "50")),
    ("12", "heun", "4"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="passages of each half")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--solve", nargs=3, action="append", metavar=("STEPS", "SOLVER", "GUIDE"))
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    store, system = Passages.open(given.store), System.load(given.model)
    held = store.places("held")[: 2 * given.count]
    half, others = held[::2], held[1::2]
    ways = {"-".join(way): _solving(way) for way in given.solve or WAYS}
    with one_thread(), torch.inference_mode():
        made = drawn(system, store, half, given.seconds, ways)
        real = Mels({place: _real(store, place, given.seconds) for place in others})
        found = {}
        write(given.out / "others", real)
        for name, (mels, seconds) in made.items():
            write(given.out / name, mels)
            rows = evaluate(given.out / name, given.out / "others")["taggers"]
            found[name] = {
                "seconds": round(seconds, 2),
                "followed": followed(mels, made["real"][0]),
                **next(iter(rows.values())),
            }
    if given.picture:
        picture(given.picture, made, half[:3])
    print(json.dumps(found, indent=2))


class Mels(dict[int, Tensor]):
    """The (T, BANDS) spectrograms of passages, by their places in the store."""


def drawn(
    system: System,
    store: Passages,
    places: Sequence[int],
    seconds: float,
    ways: Mapping[str, Solving],
) -> dict[str, tuple[Mels, float]]:
    """Return the spectrograms of passages as they are, as latents and drawn each way.

    Beside them, how many seconds each took.
    """
    told = materials(store, places, system.codec, system.conditions.conditioners)
    parts = [one.since(0, round(seconds * RATE)) for one in told]
    made = {
        "real": _each(parts, lambda one: _real(store, one.place, seconds)),
        "codec": _each(parts, lambda one: system.codec.decode(one.latents)),
    }
    for name, solving in ways.items():
        made[name] = _each(parts, partial(_drawn, system, solving))
    return made


def _drawn(system: System, solving: Solving, one: Material) -> Tensor:
    """Return the mel of what is drawn in the place of a passage."""
    return system.codec.decode(draw_latents(system, asked(system, one), one.place, solving))


def followed(mels: Mels, real: Mels) -> dict[str, dict[str, float]]:
    """Return how much more what was drawn is like its own passage than like the others.

    Correlations: "sound" of the spectrograms without the mean of each band and row, "onsets" of how
    much each row is louder than the one before; with 95 % intervals over passages.
    """
    looks = {"sound": _contrast, "onsets": _flux}
    return {name: _more_alike(mels, real, look) for name, look in looks.items()}


def _more_alike(mels: Mels, real: Mels, look: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """Return the mean over passages of the correlation with the own less that with the others."""
    ours, theirs = (torch.stack([look(side[place]) for place in mels]) for side in (mels, real))
    alike = _unit(ours) @ _unit(theirs).T
    own = alike.diagonal()
    others = (alike.sum(1) - own) / (len(alike) - 1)
    more = (own - others).numpy()
    drawn_again = np.random.default_rng(0).choice(more, (2000, len(more))).mean(1)
    low, high = np.quantile(drawn_again, [0.025, 0.975])
    return {"value": float(more.mean()), "low": float(low), "high": float(high), "n": len(more)}


def _contrast(mel: Tensor) -> Tensor:
    return (mel - mel.mean(0) - mel.mean(1, keepdim=True) + mel.mean()).flatten()


def _flux(mel: Tensor) -> Tensor:
    return mel.diff(dim=0).clamp_min(0).sum(1)


def _unit(rows: Tensor) -> Tensor:
    rows = rows - rows.mean(1, keepdim=True)
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-9)


def asked(system: System, one: Material) -> Asked:
    """Return what a film would ask that gets this music; no picture is seen."""
    rows = {name: values.astype(np.float32) for name, values in one.rows.items()}
    film = np.full((len(one.latents), system.film_width), np.nan, np.float32)
    return Asked(rows, film)


def write(folder: Path, mels: Mels) -> None:
    """Write each spectrogram as sound."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, mel in mels.items():
        samples = voiced(mel)
        Audio(np.repeat(samples[:, None], 2, axis=1), SAMPLE_RATE).save(folder / f"{place}.wav")


def picture(path: Path, made: Mapping[str, tuple[Mels, float]], places: Sequence[int]) -> None:
    """Draw the spectrograms of passages, a row for each way they were made."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(
        len(made), len(places), figsize=(6 * len(places), 2.4 * len(made)), squeeze=False
    )
    for row, (name, (mels, _)) in zip(axes, made.items(), strict=True):
        for axis, place in zip(row, places, strict=True):
            axis.imshow(mels[place].T, origin="lower", aspect="auto", vmin=-11, vmax=1)
            axis.set_title(f"{name}, passage {place}", fontsize=9)
    plt.tight_layout()
    plt.savefig(path, dpi=55)


def _each(parts: Sequence[Material], make: Callable[[Material], Tensor]) -> tuple[Mels, float]:
    began = time.process_time()
    mels = Mels({one.place: make(one) for one in parts})
    return mels, time.process_time() - began


def _real(store: Passages, place: int, seconds: float) -> Tensor:
    rows = store.mel(place)[: round(seconds * ROW_RATE)]
    return torch.from_numpy(rows.astype(np.float32))


def _solving(way: Sequence[str]) -> Solving:
    steps, solver, guidance = way
    return build(Solving, {"steps": int(steps), "solver": solver, "guidance": float(guidance)})


if __name__ == "__main__":
    main()
