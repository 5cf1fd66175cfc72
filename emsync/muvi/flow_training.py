"""Teach the flow of latents music by itself, told what a film could have asked.

emsync train muvi.toml      # task = "muvi", stage = "flow"

Shapes: B batch, T latents, c numbers of each, d numbers of a film's row.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from emsync.arrays import Picture
from emsync.data.split import KEYS, write_keys
from emsync.encoders.threads import answering
from emsync.errors import InputError
from emsync.muvi import flow
from emsync.muvi.checkpoint import Shape, System, installed_conditioners
from emsync.muvi.codec_training import read_codec
from emsync.muvi.conditions import RATE, batched
from emsync.muvi.config import FlowConfig, FlowingConfig
from emsync.muvi.material import Material, materials
from emsync.progress import Progress, silent
from emsync.synchrony.passages import Passages
from emsync.training import rounds
from emsync.training.lesson import Lesson, Task, on_device
from emsync.training.running import apart

FILES = (*rounds.FILES, KEYS)
CONTEXT = 0.8  # of the examples begin with music that is given (section 4.3)
LONGEST = 14 * RATE, 0.5  # latents that are given at most; the paper's third is too few for windows
UNASKED, LEFT_OUT = 0.2, 0.2  # of the examples ask for nothing; and each condition of the others
FILM_ALONE = 0.5  # of the examples with films ask for nothing else, or the film would be ignored
SHORTEST = 4 * RATE  # latents of an example; half of the steps have the most that there are
MEASURED = 64  # held-out passages at most on which a run is measured
Draws: TypeAlias = Callable[[Material, int, int, Generator], Picture]  # a film for a part of one


@dataclass(frozen=True, eq=False)
class Examples:
    """What a step learns from."""

    latents: Tensor  # (B, T, c)
    rows: Mapping[str, Tensor]  # by conditioner: (B, T, P, channels)
    film: Tensor  # (B, T, d)

    def told(self, given: Tensor, kept: Mapping[str, Tensor], seen: Tensor) -> "Examples":
        """Return them with nothing asked where the (B, T) latents are ``given``.

        Nor is where a condition is not ``kept``, or the film not ``seen``: (B,) each.
        """
        rows = {
            name: values.masked_fill((given | ~kept[name][:, None])[..., None, None], torch.nan)
            for name, values in self.rows.items()
        }
        film = self.film.masked_fill((given | ~seen[:, None])[..., None], torch.nan)
        return Examples(self.latents, rows, film)


def loss_of(system: System, examples: Examples, given: Tensor, t: Tensor, bf16: bool) -> Tensor:
    """Return eq. 3 at (B,) times; the (B, T) latents that are ``given`` are clean."""
    data = examples.latents
    noise = torch.randn_like(data)
    x = torch.where(given[..., None], data, flow.between(noise, data, t))
    with torch.autocast(data.device.type, torch.bfloat16, enabled=bf16):
        predicted = system.velocity(examples.rows, examples.film, given)(x, t)
    return flow.loss(predicted.float(), noise, data, given)


def told_by_chance(examples: Examples, alone: float = 0.0) -> tuple[Examples, Tensor]:
    """Return examples told of some conditions, and the (B, T) latents that are given, by chance.

    A share ``alone`` of them is told of the film alone. The generator is torch's own.
    """
    batch, length = examples.latents.shape[:2]
    device = examples.latents.device

    def some(share: float) -> Tensor:
        return (torch.rand(batch) < share).to(device)

    most = max(1, min(LONGEST[0], int(length * LONGEST[1])))
    counts = torch.randint(1, most + 1, (batch,)).to(device) * some(CONTEXT)
    given = torch.arange(length, device=device) < counts[:, None]
    asked, free = some(1 - UNASKED), some(alone)
    kept = {name: asked & ~free & some(1 - LEFT_OUT) for name in examples.rows}
    return examples.told(given, kept, asked), given


@dataclass(frozen=True, eq=False)
class Flowing(Lesson):
    """Music of passages, told what a film could have asked; and of films, where they are drawn."""

    figures: ClassVar = ("held", "film", "unasked")

    system: System
    learned: Sequence[Material]
    held: Sequence[Material]
    names: Callable[[Material], str]
    draw: Draws | None
    batch: int
    times: flow.Times
    bf16: bool
    seed: int

    @property
    def network(self) -> nn.Module:
        """What learns: all but what ``opened`` has frozen."""
        return self.system

    def loss(self, step: int, share: float) -> Tensor:
        """Return the loss of the passages of a step, each cut anew."""
        parts, rng = self._parts(step)
        examples, given = told_by_chance(
            self._examples(parts, rng), FILM_ALONE if self.draw else 0.0
        )
        t = flow.draw_times(len(given), self.times).to(given.device)
        return loss_of(self.system, examples, given, t, self.bf16)

    def met(self, step: int) -> str:
        """Return the songs of a step."""
        return "songs: " + ", ".join(self.names(one) for one, _, _ in self._parts(step)[0])

    def held_out(self) -> dict[str, float]:
        """Return the loss of held-out passages.

        "held" where all is asked, "film" where a film is seen alone, "unasked" where nothing is.
        """
        if not self.held:
            return {}
        length = min(self.system.longest, *(len(one.latents) for one in self.held))
        rng = np.random.default_rng(self.seed)
        with answering(self.system):
            chosen = self._examples([(one, 0, length) for one in self.held], rng)
            told = {"held": (True, True), "film": (False, True), "unasked": (False, False)}
            if self.draw is None:
                del told["film"]
            return {name: self._measured(chosen, *asked) for name, asked in told.items()}

    def _measured(self, chosen: Examples, asked: bool, seen: bool) -> float:
        batch, length = chosen.latents.shape[:2]
        device = chosen.latents.device
        given = torch.zeros(batch, length, dtype=torch.bool, device=device)
        kept = dict.fromkeys(chosen.rows, torch.full((batch,), asked, device=device))
        examples = chosen.told(given, kept, torch.full((batch,), seen, device=device))
        torch.manual_seed(self.seed)
        t = (torch.arange(batch, device=device) + 0.5) / batch
        return loss_of(self.system, examples, given, t, self.bf16).item()

    def save(self, folder: Path) -> None:
        """Write the system."""
        self.system.save(folder)

    def _parts(self, step: int) -> tuple[list[tuple[Material, int, int]], Generator]:
        """Return the passages of a step, from which latent to which, and what else is by chance."""
        rng = np.random.default_rng([self.seed, step])
        longest = min(self.system.longest, *(len(one.latents) for one in self.learned))
        shortest = min(SHORTEST, longest)
        length = longest if rng.random() < 0.5 else int(rng.integers(shortest, longest + 1))
        places = rng.choice(len(self.learned), self.batch, replace=self.batch > len(self.learned))
        chosen = [self.learned[place] for place in places]
        starts = [int(rng.integers(len(one.latents) - length + 1)) for one in chosen]
        return [(one, at, at + length) for one, at in zip(chosen, starts, strict=True)], rng

    def _examples(self, parts: Sequence[tuple[Material, int, int]], rng: Generator) -> Examples:
        """Return parts of passages, equally long, each with a film if films are drawn."""
        device = self.system.device
        cut = [one.since(start, stop) for one, start, stop in parts]
        latents = torch.stack([one.latents for one in cut]).to(device)
        rows = {name: v.to(device) for name, v in batched([one.rows for one in cut]).items()}
        if self.draw is None or self.system.sight is None:
            film = torch.full((*latents.shape[:2], self.system.film_width), torch.nan)
        else:
            luma = np.stack([self.draw(*part, rng) for part in parts])
            film = self.system.sight.towers.film(torch.from_numpy(luma).to(device))
        return Examples(latents, rows, film.to(device))


def train(
    config: FlowConfig, report: rounds.Report | None = None, progress: Progress = silent
) -> System:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes what ``rounds.run`` does, and ``trained.npy``, the songs that were learned from;
    ``report`` is called after each step.
    """
    return taught(config, lambda goes_on: opened(config, goes_on, progress), report)


def taught(
    config: FlowingConfig, open_lesson: Callable[[bool], Flowing], report: rounds.Report | None
) -> System:
    """Return the system of a lesson when its budget is spent."""
    apart(Path(config.out), FILES, Path(config.store))
    return rounds.run(config, open_lesson, report).system.eval()


def opened(config: FlowConfig, goes_on: bool, progress: Progress = silent) -> Flowing:
    """Return the lesson that ``config`` describes, as far as it has come."""
    passages, out = Passages.open(config.store), Path(config.out)
    system = System.load(out) if goes_on else new_system(config)
    teaching = lesson(config, system, passages, None, progress)
    write_keys(out, passages.song_keys("train"), before=out if goes_on else None)
    return teaching


def new_system(config: FlowConfig) -> System:
    """Return a system that has learned nothing yet but its codec."""
    codec = read_codec(Path(config.codec))
    told = installed_conditioners(config.conditions)
    system = System(Shape(codec.described, config.dit_shape(), told))
    system.codec.load_state_dict(codec.state_dict())
    return system


def lesson(
    config: FlowingConfig,
    system: System,
    passages: Passages,
    draw: Draws | None,
    progress: Progress = silent,
) -> Flowing:
    """Return what teaches ``system`` the passages of a store; its codec stays as it is."""
    learned, held = passages.places("train"), passages.places("held")[:MEASURED]
    if not learned:
        raise InputError(
            f"all passages of the store {config.store!r} are held out, so there is none to learn "
            "from; play more songs with `emsync pairs play`"
        )
    system.codec.requires_grad_(False)
    told = system.shape.conditioners
    learn = materials(passages, learned, system.codec, told, progress)
    measure = materials(passages, held, system.codec, told)
    return Flowing(
        system=on_device(system),
        learned=learn,
        held=measure,
        names=lambda one: passages.rows[one.place].song,
        draw=draw,
        batch=config.batch,
        times=config.times,
        bf16=config.bf16,
        seed=config.seed,
    )


def held_in_words(figures: Mapping[str, float]) -> str:
    """Return what was measured on held-out passages."""
    if "held" not in figures:
        return ""
    return f"held out {figures['held']:.3f}, told of nothing {figures['unasked']:.3f}"


def use(config: FlowingConfig) -> str:
    """Return what to do with the checkpoint."""
    out = shlex.quote(config.out)
    return f"make sound with it: emsync generate clip.mp4 --model {out} --audio out.wav"


TASK = Task(FlowConfig, FILES, train, held_in_words, use)
