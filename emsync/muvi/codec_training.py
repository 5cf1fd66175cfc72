"""Teach a codec the spectrograms of a store of passages.

emsync train codec.toml      # task = "muvi", stage = "codec"

A linear codec is fitted in one go. An autoencoder begins as one, and learns by steps to miss less.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from emsync.checkpoints import CONFIG, WEIGHTS, config_of
from emsync.encoders.threads import one_thread
from emsync.errors import AssetError, InputError, UsageError
from emsync.limits import quoted
from emsync.memoryless import memoryless
from emsync.model import folders
from emsync.muvi.codec import RATE, STRIDE, Codec, CodecShape, Described, LinearCodec, Vae, codec_of
from emsync.progress import Progress, silent
from emsync.settings import Within, build
from emsync.sound.mel import SILENCE
from emsync.synchrony.passages import Passages
from emsync.training import rounds
from emsync.training.lesson import Lesson, LessonConfig, Task, on_device
from emsync.training.running import apart, claimed
from emsync.training.saving import has_run

KIND, VERSION = "codec", 1  # of config.json
FITTED, MEASURED = 800, 100  # passages at most that components and scales are of; held-out ones
LOUDER = 0.35  # nats: the standard deviation of the gain by which an example is louder or softer


@dataclass(frozen=True, kw_only=True)
class CodecConfig(LessonConfig):
    """The settings of one run. UsageError names what cannot be."""

    store: Annotated[str, "folder that `emsync pairs play` wrote"]
    task: Annotated[Literal["muvi"], "what is learned"] = "muvi"
    stage: Annotated[Literal["codec"], "of it"] = "codec"
    codec: Annotated[Literal["linear", "vae"], "linear needs no budget"] = "linear"
    shape: Annotated[Mapping[str, Any], "width of latents; of an autoencoder, its size"] = field(
        default_factory=dict
    )
    divergence: Annotated[float, Within(0, 100), "weight of that from the unit Gaussian"] = 0.001
    rate: Annotated[float, Within(1e-9, 10), "of AdamW"] = 0.0003  # above 0.0006 it may diverge
    batch: Annotated[int, Within(1, 65_536), "passages in a step"] = 32
    seconds: Annotated[float, Within(0.1, 60), "of each passage in a step"] = 2.0

    fixed: ClassVar = ("task", "stage", "codec", "shape")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.described()

    @property
    def has_budget(self) -> bool:
        """Whether something ends the run."""
        return self.codec == "linear" or super().has_budget

    def described(self) -> Described:
        """Return what kind of codec it is."""
        shape = build(CodecShape, self.shape, "[shape] ")
        return shape.width if self.codec == "linear" else shape


@dataclass(frozen=True, eq=False)
class Coding(Lesson):
    """An autoencoder that learns spectrograms."""

    figures: ClassVar = ("l1", "snr")

    config: CodecConfig
    codec: Vae
    passages: Passages
    learned: Sequence[int]
    held: Sequence[int]

    @property
    def network(self) -> Vae:
        """What learns."""
        return self.codec

    def loss(self, step: int, share: float) -> Tensor:
        """Return how far what is written is from what was read, and latents from a Gaussian."""
        mel = self.examples(step)
        posterior = self.codec.posterior(mel)
        missed = (self.codec.written(posterior.drawn()) - mel).abs().mean()
        return missed + self.config.divergence * posterior.divergence()

    def examples(self, step: int) -> Tensor:
        """Return the (B, T, BANDS) spectrograms of a step: passages, each cut and as loud anew."""
        rng = np.random.default_rng([self.config.seed, step])
        rows = round(self.config.seconds * RATE) * STRIDE
        found = []
        for place in rng.choice(self.learned, self.config.batch):
            mel = self.passages.mel(place)
            start = int(rng.integers(max(1, len(mel) - rows + 1)))
            found.append(mel[start : start + rows].astype(np.float32))
        gains = rng.normal(0, LOUDER, (len(found), 1, 1)).astype(np.float32)
        louder = np.maximum(np.stack(found) + gains, np.float32(SILENCE))
        return torch.from_numpy(louder).to(self.codec.scale.device)

    def held_out(self) -> dict[str, float]:
        """Return how near held-out passages come back."""
        return measured(self.codec, spectrograms(self.passages, self.held)) if self.held else {}

    def save(self, folder: Path) -> None:
        """Write the codec, its latents scaled."""
        self.codec.measure(spectrograms(self.passages, self.learned[:MEASURED]))
        write_codec(folder, self.codec)


def train(
    config: CodecConfig, report: rounds.Report | None = None, progress: Progress = silent
) -> Codec:
    """Fit a linear codec, or teach an autoencoder until the budget is spent.

    Goes on from ``config.out`` if it holds a run. ``report`` is called after each step.
    """
    out, store = Path(config.out), Path(config.store)
    apart(out, rounds.FILES, store)
    passages = Passages.open(store)
    learned, held = passages.places("train"), passages.places("held")[:MEASURED]
    if not learned:
        raise InputError(f"all passages of the store {config.store!r} are held out; play more")
    described = config.described()
    if isinstance(described, int):
        if has_run(out):
            raise UsageError(
                f"{config.out!r} holds the run of an autoencoder, which a linear codec would "
                "replace; name another folder in out"
            )
        codec = fitted(described, passages, learned, progress)
        with claimed(out):
            write_codec(out, codec)
        figures = measured(codec, spectrograms(passages, held or learned[:MEASURED]))
        if report is not None:
            report(rounds.RunState(1), 1.0, {"loss": figures["l1"], **(figures if held else {})})
        return codec

    def opened(goes_on: bool) -> Coding:
        vae = read_codec(out) if goes_on else begun(described, passages, learned, progress)
        if not isinstance(vae, Vae):
            raise AssetError(f"the codec in {config.out!r} is linear: it has nothing to learn")
        return Coding(config, on_device(vae), passages, learned, held)

    return rounds.run(config, opened, report).codec.eval()


def fitted(
    width: int, passages: Passages, learned: Sequence[int], progress: Progress = silent
) -> LinearCodec:
    """Return the linear codec of passages."""
    codec = LinearCodec(width)
    with one_thread():
        codec.fit(spectrograms(passages, learned[:FITTED], progress))
    return codec


def begun(
    shape: CodecShape, passages: Passages, learned: Sequence[int], progress: Progress = silent
) -> Vae:
    """Return an autoencoder that knows at most what a linear codec does."""
    vae = Vae(shape)
    if vae.linear is not None:
        vae.linear.load_state_dict(fitted(shape.width, passages, learned, progress).state_dict())
    return vae


def spectrograms(
    passages: Passages, places: Sequence[int], progress: Progress = silent
) -> Iterator[Tensor]:
    """Yield the (T, BANDS) spectrograms of passages."""
    for number, place in enumerate(places):
        progress("Reading passages", number / len(places))
        yield torch.from_numpy(passages.mel(place).astype(np.float32))


def measured(codec: Codec, mels: Iterator[Tensor]) -> dict[str, float]:
    """Return how near spectrograms come back.

    "l1" is in nats; "snr" in dB of their variance, over all rows and bands.
    """
    device = next(codec.buffers()).device
    with one_thread(), torch.inference_mode():
        pairs = [(mel, codec.decode(codec.encode(mel.to(device)), len(mel)).cpu()) for mel in mels]
    wanted, found = (torch.cat(side) for side in zip(*pairs, strict=True))
    missed = found - wanted
    noise = missed.square().mean()
    return {"l1": float(missed.abs().mean()), "snr": float(10 * (wanted.var() / noise).log10())}


def write_codec(folder: Path, codec: Codec) -> None:
    """Write a codec to ``folder``."""
    described = codec.described
    what = described if isinstance(described, int) else asdict(described)
    folders.write(folder, {"version": VERSION, "kind": KIND, "codec": what}, codec.state_dict())


def read_codec(folder: Path) -> Codec:
    """Read what ``write_codec`` wrote; AssetError where anything is missing or does not fit."""
    wanted = 'a folder that `emsync train` wrote with stage = "codec"'
    config = config_of(folder, KIND, VERSION, wanted)
    try:
        with memoryless():
            codec = codec_of(described_in(config.get("codec")))
    except UsageError as error:
        raise AssetError(f"{quoted(folder / CONFIG)}: {error}") from error
    weights = folders.read_weights(folder / WEIGHTS, codec.state_dict())
    codec.load_state_dict(weights, assign=True)
    return codec.eval()


def described_in(value: Any) -> Described:
    """Return what a JSON file says that a codec is; UsageError where it is none."""
    if isinstance(value, int):
        value = {"width": value}
        return build(CodecShape, value, "codec: ").width
    return build(CodecShape, value, "codec: ")


def _held(figures: Mapping[str, float]) -> str:
    return f"held out: L1 {figures['l1']:.3f}, {figures['snr']:.1f} dB" if "l1" in figures else ""


def _use(config: CodecConfig) -> str:
    return f'teach the flow with it: codec = {shlex.quote(config.out)} beside stage = "flow"'


TASK = Task(CodecConfig, rounds.FILES, train, _held, _use)
