"""What telling gives: how much better a model predicts real songs for what it is told of them.

Conventions: the song is the unit. It is read from bar lines on with nothing requested but the
music's own time; then with one thing told as the song has it; then with the same of another song,
the next one, from the same place of it on. Figures are differences of the mean nats of the tokens
that count, paired by song, with 95 % intervals by a bootstrap over songs. A song that has nothing
to tell of a condition has no say in it, one that is too short in nothing.

a condition    as many tokens as the context holds, from the middle of the song
theme          THEME tokens of the song's first half are told, with nothing beside them but that
               they are a theme; the AFTER tokens from a bar line of the second half on count
later          the LATER tokens that follow are told, and in how many seconds they do; of the
               tokens before them, as many as the context holds, the LAST ones count
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.conditioning import Conditioner, Floats, GivenKind, beside_given, knows_given
from emsync.data.crops import Passage
from emsync.data.songs import Named, read_song
from emsync.errors import InputError, UsageError
from emsync.metrics import statistics
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer
from emsync.plain import plain
from emsync.progress import Progress, silent
from emsync.tokens import Ids, Timeline, Tokenizer

THEME, AFTER = 150, 300  # tokens
LATER, LAST = 100, 100
BATCH = 8  # sequences read at once

Indices = NDArray[np.intp]
Sources = Mapping[str, "Place"]  # by the name of a condition: the music that it tells


@dataclass(frozen=True, eq=False)
class Place:
    """Some consecutive tokens of a song."""

    song: Passage
    at: Indices  # (K,)

    @property
    def beside(self) -> Indices:
        """The (K + 1,) tokens whose rows stand beside the song's first token and these."""
        return np.append(self.at[0] - 1, self.at)

    @property
    def begin(self) -> float:
        """The second of the first one."""
        return float(self.song.timeline.times[self.at[0]])


@dataclass(frozen=True, eq=False)
class Places:
    """Where one song is read."""

    middle: Place
    theme: Place
    after: Place
    before: Place
    later: Place


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model reads at once."""

    ids: Ids  # (T + 1,)
    features: Mapping[str, Floats]  # (P, channels) or (T, channels)


def evaluate(
    composer: Composer, songs: Sequence[Named], progress: Progress = silent
) -> dict[str, Any]:
    """Return what each condition, a theme and later music give where they are told; plain values.

    ``given`` is empty for a model that knows no given music. Songs that cannot be read are left
    out, as ``likelihood.evaluate`` names them.
    """
    model, context = composer.model, composer.model.config.context
    if context <= max(THEME + AFTER, LATER + LAST):
        raise UsageError(
            f"a context of {context} tokens holds no theme of {THEME} tokens and {AFTER} more"
        )
    places = [found for _, path in songs if (found := _read(composer, path)) is not None]
    if len(places) < 2:
        raise InputError(
            f"what is told is compared with another song's: two songs of some {2 * context} tokens "
            f"or more are needed, and there are {len(places)}"
        )
    others = places[1:] + places[:1]
    pairs = list(zip(places, others, strict=True))
    kinds: list[GivenKind] = ["theme", "later"]
    known = kinds if knows_given(model.conditioners) else []
    told = [c for c in model.conditioners if not c.always_on]
    parts = 1 + 2 * len(told) + 3 * len(known)
    done = 0

    def nats(readings: Sequence[Reading | None], counted: int) -> Float64s:
        nonlocal done
        found = mean_nats(model, readings, counted)
        done += 1
        progress("Telling", done / parts)
        return found

    none = nats([read(model, [(None, a.middle)]) for a in places], context)
    conditions = {}
    for c in told:
        own, other = (
            nats([_telling(model, c, a.middle, one) for a, one in chosen], context)
            for chosen in (
                [(a, a.middle) for a in places],
                [(a, b.middle) for a, b in pairs],
            )
        )
        conditions[c.name] = compared(none, own, other)
    given = {}
    for kind in known:
        counted = AFTER if kind == "theme" else LAST
        ways = [
            [given_reading(model, kind, a, b) for a, b in chosen]
            for chosen in ([(a, None) for a in places], [(a, a) for a in places], pairs)
        ]
        given[kind] = compared(*(nats(way, counted) for way in ways))
    return plain({
        "songs": len(places),
        "tokens": {"condition": context, "theme": AFTER, "later": LAST},
        "conditions": conditions,
        "given": given,
    })  # fmt: skip


def compared(none: Float64s, own: Float64s, other: Float64s) -> dict[str, Any]:
    """Return the nats with nothing told, and what telling changes, over (S,) songs; NaN: no say."""
    known = np.isfinite(own) & np.isfinite(other)
    return {
        "none": asdict(statistics.mean(none[known])),
        "own": asdict(statistics.mean((own - none)[known])),
        "other": asdict(statistics.mean((other - none)[known])),
        "own_less_other": asdict(statistics.mean((own - other)[known])),
    }


def places_in(song: Passage, tokenizer: Tokenizer, context: int) -> Places | None:
    """Return where a song is read; None where it is too short."""
    size = len(song.ids)
    bars = np.arange(size) if tokenizer.bar is None else np.flatnonzero(song.ids == tokenizer.bar)

    def place(first: int, count: int, last: int = size) -> Place | None:
        starts = bars[(bars >= max(first, 1)) & (bars + count <= last)]
        return Place(song, starts[0] + np.arange(count)) if len(starts) else None

    middle = place((size - context) // 2, context)
    theme, after = place(size // 8, THEME, size // 2), place(size // 2, AFTER)
    lead = context - LATER - 1  # all that there is room for
    whole = place((size - context) // 2, lead + LATER)
    if middle is None or theme is None or after is None or whole is None:
        return None
    before, later = (replace(whole, at=whole.at[some]) for some in (slice(lead), slice(lead, None)))
    return Places(middle, theme, after, before, later)


def read(
    model: EventTransformer,
    passages: Sequence[tuple[GivenKind | None, Place]],
    sources: Sources | None = None,
) -> Reading:
    """Return passages one after the other: what is given, and last, of no kind, the music itself.

    Each begins with the token of its song that tells the instruments. Beside the music stand the
    rows of ``sources``, those of another place moved to its own time; else what is always on.
    """
    ids = np.concatenate([np.append(p.song.ids[0], p.song.ids[p.at]) for _, p in passages])
    features = {}
    for c in model.conditioners:
        parts = [_rows(c, kind, place, (sources or {}).get(c.name)) for kind, place in passages]
        last = np.concatenate(parts)[: len(ids) - 1]
        features[c.name] = last if c.place == "position" else parts[-1]
    return Reading(ids, features)


def given_reading(
    model: EventTransformer, kind: GivenKind, song: Places, source: Places | None
) -> Reading:
    """Return a song's music of a kind with what ``source`` gives before it, if there is one."""
    music = song.after if kind == "theme" else song.before
    if source is None:
        return read(model, [(None, music)])
    sources = {}
    if kind == "later":  # the wait is the song's own, whatever comes
        resumes = {"resumes": float(music.song.timeline.times[music.at[-1]])}
        requested = replace(music.song.requested, labels=resumes)
        waiting = replace(music, song=replace(music.song, requested=requested))
        sources = {c.name: waiting for c in model.conditioners if c.given_row(kind) is not None}
    return read(model, [(kind, getattr(source, kind)), (None, music)], sources)


@torch.no_grad()
def mean_nats(
    model: EventTransformer, readings: Sequence[Reading | None], counted: int
) -> Float64s:
    """Return the mean nats of the last ``counted`` tokens of each of S readings; None is NaN."""
    model = model.eval()
    device = model.head.weight.device
    found = np.full(len(readings), np.nan)
    known = [i for i, one in enumerate(readings) if one is not None]
    for some in (known[at : at + BATCH] for at in range(0, len(known), BATCH)):
        batch = [one for i in some if (one := readings[i]) is not None]
        ids = torch.from_numpy(np.stack([one.ids for one in batch])).to(device)
        features = {
            name: torch.from_numpy(np.stack([one.features[name] for one in batch])).to(device)
            for name in batch[0].features
        }
        logits = model(ids[:, :-1], features)[:, -counted:].float()
        losses = F.cross_entropy(logits.transpose(1, 2), ids[:, -counted:], reduction="none")
        found[some] = losses.double().mean(1).cpu().numpy()
    return found


def _read(composer: Composer, path: Any) -> Places | None:
    try:
        piece = read_song(path, composer.tempo)
    except InputError:
        return None
    song = Passage.of(composer.tokenizer.encode(piece), composer.tokenizer)
    return places_in(song, composer.tokenizer, composer.model.config.context)


def _telling(
    model: EventTransformer, c: Conditioner, music: Place, source: Place
) -> Reading | None:
    """Return music with a condition of ``source``; None where that has nothing to tell."""
    told, silence = (_rows(c, None, music, one) for one in (source, None))
    if np.array_equal(told, silence, equal_nan=True):
        return None
    return read(model, [(None, music)], {c.name: source})


def _rows(c: Conditioner, kind: GivenKind | None, place: Place, source: Place | None) -> Floats:
    """Return the rows of a condition beside a passage: (P, channels) or (K + 1, channels)."""
    source = place if c.always_on else source if kind is None else None
    target = c.from_music((source or place).song.requested)
    timeline = place.song.timeline
    if source is None:
        target = c.null_target(target)
    else:
        times = np.maximum(timeline.times + (source.begin - place.begin), 0.0)
        timeline = Timeline(times, timeline.marks)
    rows = c.features(target, timeline)
    return beside_given(c, kind, rows[place.beside]) if c.place == "position" else rows
