"""Measure speed and memory, each figure beside a baseline of the same run; prints one JSON object.

    python scripts/benchmark.py [--only PART ...] [--checkpoint NAME] [--video CLIP] [--threads 2]

Decoding is measured on emsync-base's shape with random weights, which makes no difference to the
speed. What is short is timed as the least of several runs, so that a busy machine counts less.
Without --video the demonstration's clip is drawn, with noise; a film is repeated to the lengths
asked for. Without --songs nothing is prepared.
"""

import argparse
import copy
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from emsync import plugins
from emsync.conditioning import Conditioner
from emsync.demo import HEIGHT, LENGTH, WIDTH, draw_clip
from emsync.filters import together
from emsync.model.composer import Composer
from emsync.model.int8.decoder import QuantizedDecoder
from emsync.model.static_decoder import StaticDecoder
from emsync.model.transformer import Decoder, EventTransformer, ModelConfig
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, PIANO, STRINGS
from emsync.options import CHECKPOINT
from emsync.tokens import Ids, LogitsProcessor

if TYPE_CHECKING:
    from emsync.matching.towers import Towers

SMALL = {"width": 256, "depth": 6, "heads": 4, "context": 766, "position_channels": 192}
BASE = {"width": 512, "depth": 11, "heads": 8, "context": 1214, "position_channels": 256}
BORN = ("valence_arousal", "metre", "boundaries", "onset_density", "chroma")
ADDED = ("chords", "instruments", "given")  # over the full width
READ = 1000  # tokens that a decoding step looks back on, at most four fifths of the context
ROUNDS = 5  # in turn, of steps that are compared
CANDIDATES = 8  # decoded in one batch
GPU_BATCH = 64  # pieces that a GPU decodes at once
DRAFTS = (1, 2, 3, 4, 6, 8)  # tokens that a piece reads at once, a drafted one and more after it
LONGEST_MATCH = 8  # tokens that are looked up to draft what followed them last
STEP = 0.06  # seconds by which time passes at once in music from random weights
VOCABULARY = 1011  # tokens
SUMMED = 512 * 2**20  # bytes, to measure how fast memory is read: far more than its caches hold
RULED = 32.0  # seconds of music composed after a lead sheet
FILM = 60.0  # seconds of the clip that is watched and composed for
PORTRAIT = (2160, 3840, 4.0)  # pixels, pixels and seconds of a telephone's film
SOUNDED = 30.0  # seconds of sound as latents and back
SONGS = 300  # to prepare, at most
TRACKS, TRACK = 100_000, 200.0  # of a drawn index, and seconds of each
QUERIES = 3  # films that are looked for in it
APART = 1.0  # SD of the passages of a drawn track about it, where tracks have 1 about each other
PLAIN = ("--candidates", "1", "--guidance", "1")  # one piece, and every token foretold once

# Runs what it is told and prints what it took. A child's peak memory is never less than that of
# the process it was started from, so this one, which is small, stands between.
MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
said = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE).stdout
seconds = time.perf_counter() - began
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
print(json.dumps({"seconds": seconds, "peak": peak / 1e6, "said": json.loads(said)}))
"""


# Takes sound to latents and back, and prints what each step took: the least of three.
SOUND = """
import json, resource, sys, time
import torch
from emsync.muvi.codec import CodecShape, codec_of
from emsync.sound.mel import RATE, griffin_lim, log_mel
torch.set_num_threads(int(sys.argv[1]))
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
before, took = peak(), {}
def timed(what, work):
    for _ in range(3):
        began = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        took[what] = min(seconds, took.get(what, seconds))
    return done
samples = torch.randn(round(float(sys.argv[2]) * RATE)) / 10
with torch.inference_mode():
    mel = timed("log-mel", lambda: log_mel(samples))
    for name, what in (("linear", 64), ("autoencoder", CodecShape())):
        codec = codec_of(what)
        latents = timed(f"encode, {name}", lambda: codec.encode(mel))
        timed(f"decode, {name}", lambda: codec.decode(latents))
    timed("Griffin-Lim, 32 iterations", lambda: griffin_lim(mel, len(samples)))
print(json.dumps({"seconds": took, "peak memory, MB": peak(), "of which torch, MB": before}))
"""

# Opens a checkpoint of the kind "muvi", makes one sound for a film, and prints what that took.
MAKE = """
import json, sys, torch
from pathlib import Path
import emsync
from emsync.muvi.maker import Muvi
folder, film, out, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
maker, asked = Muvi.open(Path(folder), "cpu"), emsync.Options(candidates=1)
made = emsync.generate(film, asked, checkpoint=maker)
made.save(out)
print(json.dumps(dict(made.timings)))
"""


# Opens an index, asks it for films, and prints what that took; then looks at all tracks of it.
ASK = """
import json, resource, sys, time
from pathlib import Path
import numpy as np, torch
from emsync.matching.index import read_index
from emsync.matching.matcher import choose
torch.set_num_threads(int(sys.argv[4]))
matcher, path = choose(sys.argv[1]), Path(sys.argv[2])
matcher.system
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
before = peak()
took = {"seconds to open": [], "seconds to verify": [], "seconds to ask": []}
def timed(what, work):
    began = time.perf_counter()
    done = work()
    took["seconds to " + what].append(time.perf_counter() - began)
    return done
for _ in range(3):
    shelf = timed("open", lambda: read_index(path, matcher.stamp)).shelf
    timed("verify", lambda: matcher.verify(shelf))
with np.load(sys.argv[3]) as films:
    films = [{name: films[name][i] for name in films} for i in range(len(films["seconds"]))]
found = [timed("ask", lambda: matcher.rank(film, shelf, 10)) for film in films]
asked, kept = peak(), []
for film, some in zip(films, found):
    every = [m for at in range(0, len(shelf), 1000) for m in
             matcher.matches(film, shelf, np.arange(at, min(at + 1000, len(shelf))))]
    best = {m.track for m in sorted(every, key=lambda m: -m.score)[:10]}
    kept.append(len(best & {m.track for m in some}) / len(best))
print(json.dumps({**{name: [max(t), min(t)] for name, t in took.items()},
                  "before": before, "asked": asked, "recall": float(np.mean(kept))}))
"""


# Makes the decoder ready, and prints the seconds that took.
READY = """
import json, time
from emsync.model.composer import Composer
from emsync.model.sliding_window import make_ready
from emsync.progress import silent
model, began = Composer.from_pretrained().model, time.perf_counter()
make_ready(model, silent)
print(json.dumps(time.perf_counter() - began))
"""


@dataclass(frozen=True)
class Run:
    """What a command of emsync took, and the JSON object that it printed."""

    seconds: float  # wall, from nothing to its end
    peak: float  # MB of memory
    said: Mapping[str, Any]


def emsync(*arguments: str | Path) -> Run:
    """Run a command of emsync in a process of its own."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "emsync", *arguments, "--json"]
    return Run(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def best(
    work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the least seconds that ``work`` takes, after one run to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def starting() -> dict[str, Any]:
    """Return the seconds of ``emsync --help`` against an empty Python process."""

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    told = python("-X", "importtime", "-m", "emsync", "--help").stderr
    return {
        "help, seconds": best(lambda: python("-m", "emsync", "--help")),
        "baseline empty process, seconds": best(lambda: python("-c", "")),
        "help imports torch": any(line.endswith("| torch") for line in told.splitlines()),
    }


def first_run(folder: Path) -> dict[str, Any]:
    """Return what compiling the decoder costs, against loading what was compiled."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba")}

    def ready() -> float:
        command = [sys.executable, "-c", READY]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        return float(json.loads(made.stdout))

    return {"compiling, seconds": ready(), "baseline loading, seconds": ready()}


def random_base(shipped: Composer) -> Composer:
    """Return emsync-base with random weights, and with what ``shipped`` has beside the network."""
    tokenizer = shipped.tokenizer
    torch.manual_seed(0)
    added = shipped.model.config.added
    shape = ModelConfig(tokenizer.vocab_size, **BASE, dropout=0.0, added=added, qk_norm=True)
    model = EventTransformer(shape, shipped.model.conditioners).train(False)
    with torch.no_grad():  # so that a second of music takes as many tokens as a real one's, some 60
        model.head.bias.sub_(torch.from_numpy(tokenizer.durations) / STEP)
    return Composer(model, tokenizer, shipped.tempo, shipped.sampling)


def features(model: EventTransformer, tokens: int) -> dict[str, Tensor]:
    """Return features of one piece, of which all is asked: what is not costs less."""
    return {
        c.name: torch.full((1, 2 if c.place == "prefix" else tokens, c.channels), 0.5)
        for c in model.conditioners
    }


def stepping(decoder: Decoder | QuantizedDecoder, batch: int) -> Callable[[], object]:
    """Return a function that does a decoding step after READ tokens.

    Only the first piece's tokens are read: what is remembered of the others costs as much.
    """
    model = decoder.model
    read = min(READ, model.config.context * 4 // 5)
    ids = torch.randint(model.config.vocab_size, (1, read)).numpy()
    prefill = {name: rows.numpy() for name, rows in features(model, read).items()}
    decoder.prefill(ids, prefill, [0])
    rows = {c.name: np.full((batch, c.channels), 0.5, np.float32) for c in model.per_token}
    decoder.lengths[:] = decoder.lengths[0]
    return lambda: decoder.step(ids[0, :batch], rows, range(batch))


def step_seconds(decoder: Decoder | QuantizedDecoder, batch: int) -> float:
    """Return the seconds of a decoding step after READ tokens."""
    return best(stepping(decoder, batch), 20)


def gpt2_of(model: EventTransformer) -> Any:
    """Return transformers' GPT-2 of the same shape, where ``model`` is."""
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.config
    shape = GPT2Config(
        vocab_size=c.vocab_size, n_positions=c.context, n_embd=c.width, n_layer=c.depth,
        n_head=c.heads, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(shape).train(False).to(model.head.weight.device)


def transformers_seconds(model: EventTransformer) -> float:
    """Return the seconds of a step of transformers' GPT-2 of the same shape, with its cache."""
    c, gpt2 = model.config, gpt2_of(model)
    ids = torch.randint(c.vocab_size, (1, READ))
    past = gpt2(ids, use_cache=True).past_key_values  # grows by a token in each step, as ours does
    return best(lambda: gpt2(ids[:, :1], past_key_values=past, use_cache=True), 20)


def bytes_read(decoder: QuantizedDecoder) -> tuple[int, int]:
    """Return the bytes that the next step reads: for all pieces once, and for the pieces' past."""
    network, cache = decoder.network, decoder.cache
    share = float(decoder.lengths[0]) / decoder.model.longest
    blocks = (network.qkv, network.out, network.mlp_in, network.mlp_out)
    matrices = (*blocks, network.head, decoder.inputs.added.last)
    weights = sum(part.nbytes for matrix in matrices for part in matrix)
    distance = share * (network.distance.rows.nbytes + network.distance.scales.nbytes)
    return weights + int(distance), int(share * sum(part.nbytes for part in cache))


@torch.inference_mode()
def decoding(model: EventTransformer) -> dict[str, Any]:
    """Return tokens a second against several baselines, and against the memory's own speed."""
    ids = torch.randint(model.config.vocab_size, (1, READ))
    whole = best(lambda: model(ids, features(model, READ)), 3)
    plain = step_seconds(Decoder(model, 1), 1)
    gpt2 = transformers_seconds(model)
    decoder = QuantizedDecoder(model, 1)
    one, many = (
        step_seconds(decoder, 1),
        step_seconds(QuantizedDecoder(model, CANDIDATES), CANDIDATES),
    )
    numbers = torch.ones(SUMMED // 4)
    bandwidth, (shared, own) = SUMMED / best(lambda: numbers.sum(), 7), bytes_read(decoder)
    read = shared + own
    return {
        "weights": "random",
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": READ,
        "tokens_per_second": 1 / one,
        "baseline without cache, tokens_per_second": 1 / whole,
        "ratio to no cache": whole / one,
        "baseline plain decoder, float32, tokens_per_second": 1 / plain,
        "baseline transformers GPT-2, float32, tokens_per_second": 1 / gpt2,
        "ratio to transformers GPT-2": gpt2 / one,
        "batch": CANDIDATES,
        "batch, tokens_per_second": CANDIDATES / many,
        "ratio of batch to one": CANDIDATES * one / many,
        "ratio of what is read for as many alone": CANDIDATES * read / (shared + CANDIDATES * own),
        "bytes read for a token": read,
        "read bandwidth, GB_per_second": bandwidth / 1e9,
        "share of the memory roofline": read / bandwidth / one,
    }


@torch.inference_mode()
def static_gpt2_seconds(model: EventTransformer, batch: int) -> float:
    """Return the seconds of a step of transformers' GPT-2 with a cache of fixed size.

    On a GPU it is compiled into CUDA graphs, and its logits go to the CPU, as ours do.
    """
    from transformers import StaticCache

    gpt2, device = gpt2_of(model), model.head.weight.device
    past = StaticCache(config=gpt2.config, max_cache_len=model.config.context)
    read = min(READ, model.config.context * 4 // 5)
    ids = torch.randint(model.config.vocab_size, (batch, read), device=device)
    gpt2(ids, past_key_values=past, use_cache=True)
    foretell = torch.compile(gpt2, mode="reduce-overhead") if device.type == "cuda" else gpt2

    def step() -> None:
        foretell(ids[:, :1], past_key_values=past, use_cache=True).logits.float().cpu()

    for _ in range(3):  # while it compiles
        step()
    return best(step, 20)


def decoding_at_once(model: EventTransformer, batch: int) -> dict[str, Any]:
    """Return tokens a second of many pieces in one batch, where ``model`` is, and baselines."""
    ours = step_seconds(StaticDecoder(model, batch), batch)
    plain = step_seconds(Decoder(model, batch), batch)
    gpt2 = static_gpt2_seconds(model, batch)
    return {
        "weights": "random, float32",
        "batch": batch,
        "context": min(READ, model.config.context * 4 // 5),
        "tokens_per_second": batch / ours,
        "baseline plain decoder, tokens_per_second": batch / plain,
        "ratio to plain decoder": plain / ours,
        "baseline transformers GPT-2, static cache, tokens_per_second": batch / gpt2,
        "ratio to transformers GPT-2": gpt2 / ours,
    }


def on_gpu(model: EventTransformer) -> dict[str, Any]:
    """Return what decoding GPU_BATCH pieces on a GPU takes, or that there is none."""
    if not torch.cuda.is_available():
        return {"skipped": "PyTorch finds no CUDA GPU here"}
    return {
        "device": torch.cuda.get_device_name(),
        **decoding_at_once(copy.deepcopy(model).to("cuda"), GPU_BATCH),
    }


def drafting(base: EventTransformer, shipped: Composer) -> dict[str, Any]:
    """Return what reading several tokens at once costs, and what drafts of music could gain by it.

    The drafts are what followed the longest match earlier in pieces that ``shipped`` composes; as
    many are read as ``gained`` finds best for the cost measured on ``base`` and on ``shipped``.
    """
    rows = [one.tolist() for one in composed_in_pairs(shipped)]
    return {
        name: {**costs, "share of drafts that are right": right(rows), "gain at best": gain}
        for name, model in (("base", base), (CHECKPOINT, shipped.model))
        for costs in [reading_at_once(model)]
        for gain in [max(gained(rows, k, costs["ratio to one token"]) for k in DRAFTS)]
    }


def reading_at_once(model: EventTransformer) -> dict[str, Any]:
    """Return the processor's seconds of a step in which one piece reads DRAFTS tokens."""
    decoder = QuantizedDecoder(model, 1)
    stepping(decoder, 1)
    read = int(decoder.lengths[0])
    rows = {c.name: np.full((max(DRAFTS), c.channels), 0.5, np.float32) for c in model.per_token}

    def step(count: int) -> None:
        decoder.lengths[0] = read
        beside = {name: row[:count] for name, row in rows.items()}
        decoder.step(np.arange(count), beside, [0] * count)

    steps = [partial(step, k) for k in DRAFTS]
    rounds = [[best(one, 10, time.process_time) for one in steps] for _ in range(ROUNDS)]
    seconds = dict(zip(DRAFTS, np.median(rounds, axis=0).tolist(), strict=True))
    return {
        "step, seconds": seconds,
        "ratio to one token": {k: seconds[k] / seconds[1] for k in DRAFTS},
    }


def foretold(ids: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """Yield, step by step, how many tokens are drafted, ``count`` at most, and how many are right.

    A step reads the token that was drawn and its drafts, and draws one more than are right.
    """
    after: dict[tuple[int, ...], int] = {}  # what followed up to LONGEST_MATCH tokens last
    at, noted = 1, 1
    while at < len(ids):
        for end in range(noted, at):
            for n in range(1, min(LONGEST_MATCH, end) + 1):
                after[tuple(ids[end - n : end])] = ids[end]
        noted, known = at, list(ids[max(0, at - LONGEST_MATCH) : at])
        drafts: list[int] = []
        while len(drafts) < count:
            ends = (tuple(known[-n:]) for n in range(LONGEST_MATCH, 0, -1))
            draft = next((after[end] for end in ends if end in after), None)
            if draft is None:
                break
            drafts.append(draft)
            known.append(draft)
        agree = [a == b for a, b in zip(drafts, ids[at:], strict=False)]
        correct = agree.index(False) if False in agree else len(agree)
        yield len(drafts), correct
        at += correct + 1


def gained(rows: Sequence[Sequence[int]], count: int, costs: Mapping[int, float]) -> float:
    """Return the gain of reading ``count`` tokens at once over one by one, all else being free."""
    steps = [step for ids in rows for step in foretold(ids, count - 1)]
    read = [np.interp(drafted + 1, list(costs), list(costs.values())) for drafted, _ in steps]
    return float(sum(correct + 1 for _, correct in steps) / sum(read))


def right(rows: Sequence[Sequence[int]]) -> float:
    """Return the share of single drafts that are the token that was drawn."""
    steps = np.array([step for ids in rows for step in foretold(ids, 1)])
    return float(steps[:, 1].sum() / steps[:, 0].sum())


def telling() -> dict[str, Any]:
    """Return what ADDED conditions and a norm cost a decoding step, against a network without."""
    return {
        f"{name}, {batch} at once": told_and_not(shape, batch)
        for name, shape in (("small", SMALL), ("base", BASE))
        for batch in (1, 2)
    }


def told_and_not(shape: Mapping[str, int], batch: int) -> dict[str, Any]:
    """Return seconds and bytes of a network's steps with and without ADDED and ``qk_norm``."""
    more, less = (QuantizedDecoder(random_network(shape, added), batch) for added in (ADDED, ()))
    steps = stepping(more, batch), stepping(less, batch)
    rounds = [[best(step, 15) for step in steps] for _ in range(ROUNDS)]
    told, plain = map(min, zip(*rounds, strict=True))
    return {
        "step, seconds": told,
        "baseline born conditions only, no norm, seconds": plain,
        "ratio": told / plain,
        "memory, bytes": held(more),
        "ratio of memory": held(more) / held(less),
    }


def guiding() -> dict[str, Any]:
    """Return what guidance costs a step: a token is read with the conditions and without."""
    return {name: guided_and_not(shape) for name, shape in (("small", SMALL), ("base", BASE))}


def guided_and_not(shape: Mapping[str, int]) -> dict[str, Any]:
    """Return one thread's own seconds for a step of both copies of a piece, and of one."""
    model, threads = random_network(shape, ADDED), torch.get_num_threads()
    torch.set_num_threads(1)
    steps = [stepping(QuantizedDecoder(model, copies), copies) for copies in (2, 1)]
    rounds = [[best(step, 15, time.thread_time) for step in steps] for _ in range(ROUNDS)]
    torch.set_num_threads(threads)
    both, one = map(min, zip(*rounds, strict=True))
    ratio = float(np.median([first / second for first, second in rounds]))
    return {"step, seconds": both, "baseline unguided, seconds": one, "ratio": ratio}


def random_network(shape: Mapping[str, int], added: tuple[str, ...]) -> EventTransformer:
    """Return a network of BORN conditions without a norm; or with ``added`` ones and with it."""
    conditioners = [
        plugins.build_plugin(plugins.CONDITIONERS, {"name": name, "settings": {}}, Conditioner)
        for name in (*BORN, *added)
    ]
    config = ModelConfig(VOCABULARY, **shape, dropout=0.0, added=added, qk_norm=bool(added))
    return EventTransformer(config, conditioners).train(False)


def held(decoder: QuantizedDecoder) -> int:
    """Return the bytes of all weights and of the cache of a decoder."""

    def size(part: Any) -> int:
        return sum(map(size, part)) if isinstance(part, tuple) else getattr(part, "nbytes", 0)

    return size((decoder.network, decoder.cache, decoder.inputs, decoder.tokens))


def lead_sheets() -> list[LeadSheet]:
    """Return a lead sheet of RULED seconds for each of two pieces, whose second half is louder."""
    bars = np.arange(0.0, RULED, 2.0)
    quiet, loud = Passage(0.0, RULED / 2, (BASS, PIANO, STRINGS)), Passage(RULED / 2, RULED)
    chords = np.resize([parse_chord(name) for name in ("Am", "F", "C", "G")], len(bars))
    return [LeadSheet(Harmony(bars, chords), (quiet, loud))] * 2


def composed_in_pairs(composer: Composer) -> list[Ids]:
    """Return the tokens of two pieces that follow ``lead_sheets``."""
    targets = [composer.null_targets(RULED)] * 2
    return [one.ids for one in composer.sample(targets, [RULED] * 2, [0, 1], sheets=lead_sheets())]


def ruling(composer: Composer) -> dict[str, Any]:
    """Return what rules and lead sheet cost a token, against all that composing does for it.

    Two pieces are composed as they come, then read once more by the filters alone, together as
    sampling has them.
    """
    sheets, compose = lead_sheets(), partial(composed_in_pairs, composer)
    rows = compose()
    length, longest = min(map(len, rows)), max(map(len, rows))
    ids = torch.from_numpy(np.stack([row[:length] for row in rows]))
    scores = torch.zeros(2, composer.tokenizer.vocab_size)

    def reading(make: Callable[[], Sequence[LogitsProcessor]]) -> float:
        def read() -> None:
            filters = make()
            for t in range(1, length):
                for each in filters:
                    each(ids[:, :t], scores)

        return best(read) / length

    def grammar() -> list[LogitsProcessor]:
        return [make() for make in composer.tokenizer.rules().values()]

    def everything() -> list[LogitsProcessor]:
        return [*grammar(), *composer.tokenizer.followers(sheets).values()]

    composing, all_of_them = best(compose, 2) / longest, reading(lambda: together(everything()))
    ruled, apart = reading(lambda: together(grammar())), reading(everything)
    return {
        "tokens": longest,
        "composing, microseconds a token": composing * 1e6,
        "rules and lead sheet, microseconds a token": all_of_them * 1e6,
        "share of composing": all_of_them / composing,
        "baseline rules of grammar alone, microseconds a token": ruled * 1e6,
        "baseline each filter apart, microseconds a token": apart * 1e6,
        "ratio to each apart": all_of_them / apart,
    }


def ffmpeg(*arguments: str | Path) -> None:
    """Run FFmpeg."""
    from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def redrawn(clip: Path, out: Path, width: int, height: int, seconds: float) -> Path:
    """Draw the first ``seconds`` of a film anew, in another size and with noise."""
    size = f"{width}:{height}"
    filled = f"scale={size}:force_original_aspect_ratio=increase,crop={size}"
    ffmpeg(
        "-i", clip, "-t", str(seconds), "-vf", f"{filled},noise=alls=6:allf=t", "-an",
        "-c:v", "libx264", "-preset", "veryfast", out,
    )  # fmt: skip
    return out


def drawn(folder: Path) -> Path:
    """Draw the demonstration's clip, with noise."""
    draw_clip(folder / "clean.mp4")
    return redrawn(folder / "clean.mp4", folder / "clip.mp4", WIDTH, HEIGHT, LENGTH)


def repeated(clip: Path, folder: Path, seconds: float) -> Path:
    """Write a film that is ``clip`` over and over, its pictures untouched."""
    out = folder / f"{seconds:g}-s.mkv"
    ffmpeg(
        "-y", "-stream_loop", "-1", "-i", clip, "-t", str(seconds), "-map", "v:0", "-c", "copy", out
    )
    return out


def generating(clip: Path, checkpoint: str | Path, threads: int, *more: str) -> dict[str, Any]:
    """Return what it costs to compose for ``clip``, from an empty process to the file.

    Tokens a second are those of the piece that is kept, and what composing does besides counts.
    """
    score = clip.with_suffix(".mid")
    run = emsync(
        "generate", clip, "--out", score, "--checkpoint", checkpoint, "--device", "cpu",
        "--threads", str(threads), *more,
    )  # fmt: skip
    composing = run.said["timings"]["compose"]
    return {
        "seconds of film": run.said["duration"],
        "seconds": run.seconds,
        "ratio to real time": run.said["duration"] / run.seconds,
        "seconds beside composing": run.seconds - composing,
        "tokens": run.said["tokens"],
        "tokens_per_second": run.said["tokens"] / composing,
        "peak memory, MB": run.peak,
        "timings": run.said["timings"],
    }


def watching(clip: Path) -> dict[str, Any]:
    """Return how fast a film is watched and felt, by each cue and by all, against decoding alone.

    "fixed" watches for cuts, motion and colour only.
    """
    import av

    from emsync.analysis import Analysis
    from emsync.emotion.estimator import choose
    from emsync.options import ESTIMATOR
    from emsync.video.film import open_film
    from emsync.video.watch import watch

    def decode() -> None:
        with av.open(str(clip)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in container.decode(video=0):
                pass

    def feel(cues: str) -> None:
        estimator = choose(cues)
        Analysis.of(watch(video, needs=estimator.needs), estimator)

    video, decoded = open_film(clip), best(decode, 1)
    cues = ["fixed:0/0", *ESTIMATOR.split(","), ESTIMATOR]
    felt = {cue: best(partial(feel, cue), 1) for cue in cues}
    return {
        "size": f"{video.width}x{video.height}",
        "seconds of film": video.duration,
        "ratio to real time": {cue: video.duration / spent for cue, spent in felt.items()},
        "baseline decoding alone, ratio to real time": video.duration / decoded,
        "ratio to decoding alone": {cue: decoded / spent for cue, spent in felt.items()},
    }


def over_lengths(films: Sequence[Path], checkpoint: str, threads: int) -> dict[str, Any]:
    """Return the cost of composing for films of several lengths, and of watching their extremes."""
    rows = [generating(film, checkpoint, threads, *PLAIN) for film in films]
    watched = {film.name: emsync("analyze", film).peak for film in (films[0], films[-1])}
    return {"generate": rows, "analyze, peak memory, MB": watched}


def preparing(songs: Path) -> dict[str, Any]:
    """Return songs a second of one process that reads and tokenizes Lakh Pianoroll."""
    from emsync.data.lakh import read_lakh
    from emsync_tokenizers.events import Events

    files = sorted(songs.rglob("*.npz"))[:SONGS]
    tokenizer = Events()
    start = time.perf_counter()
    tokens = sum(len(tokenizer.encode(read_lakh(path))) for path in files)
    spent = time.perf_counter() - start
    return {"songs": len(files), "songs_per_second": len(files) / spent, "tokens": tokens}


def seeking(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """Return what it costs to seek among TRACKS drawn tracks by an untrained system ``name``.

    Seconds are the slowest and the fastest: at first the index may have to come from the disk.
    """
    from emsync.matching.index import Track, read_index, write_index
    from emsync.matching.matcher import choose
    from emsync.matching.towers import Towers
    from emsync.retrieval.checkpoint import System
    from emsync.retrieval.heard import WIDTHS as HEARD
    from emsync.retrieval.seen import WIDTHS as SEEN

    films, music = ({key: known[key] for key in keys} for known, keys in (
        (SEEN, ("motion", "colour")), (HEARD, ("mel", "onsets", "chroma")),
    ))  # fmt: skip
    System.build(name, films, music).save(folder / name)
    matcher = choose(f"{name}:{folder / name}")
    assert isinstance(matcher, Towers)
    network, width = matcher.system.network, _embedded(matcher)
    starts = np.arange(0, TRACK - network.passage + 1, network.hop, dtype=np.float32)
    rows = np.memmap(folder / "rows", np.float16, "w+", shape=(TRACKS, len(starts), width))
    rng = np.random.default_rng(0)
    for block in np.array_split(rows, TRACKS // 1000):
        own = rng.standard_normal((len(block), 1, width), np.float32)
        own = own + APART * rng.standard_normal(block.shape, np.float32)
        block[:] = own / np.linalg.norm(own, axis=2, keepdims=True)
    tracks = [
        Track(f"{i:06}", 1, 1, TRACK, {
            "starts": starts, "passages": rows[i], "mean": rows[i].mean(0, np.float32)[None],
        })
        for i in range(TRACKS)
    ]  # fmt: skip
    index, began = folder / f"{name}.safetensors", time.perf_counter()
    write_index(index, matcher.stamp, tracks)
    written = time.perf_counter() - began
    parts = [(at, at + 10) for at in range(0, 60, 10)] if name == "of-vm-net" else [(0, 60)]
    sought = rng.choice(TRACKS, QUERIES, replace=False)
    embedded = rows[sought][:, : len(parts)].astype(np.float32)
    embedded += rng.standard_normal(embedded.shape, np.float32) / np.sqrt(width)
    embedded /= np.linalg.norm(embedded, axis=2, keepdims=True)
    np.savez(
        folder / "films.npz", seconds=np.full((QUERIES, 1), 60.0), embedded=embedded,
        parts=np.tile(np.array(parts), (QUERIES, 1, 1)),
    )  # fmt: skip
    asked = (f"{name}:{folder / name}", str(index), str(folder / "films.npz"), str(threads))
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", ASK, *asked]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["said"]
    assert len(read_index(index, matcher.stamp).shelf) == TRACKS
    return {
        "tracks": TRACKS,
        "passages of a track": len(starts),
        "numbers of a passage": width,
        "index, MB": index.stat().st_size / 1e6,
        "seconds to write": written,
        **{key: value for key, value in said.items() if key.startswith("seconds")},
        "peak memory before the index is opened, torch included, MB": said["before"],
        "peak memory once it was asked, mapped pages included, MB": said["asked"],
        "share of the best ten of all passages that the shortlist keeps": said["recall"],
    }


def _embedded(matcher: "Towers") -> int:
    """Return how many numbers a passage has."""
    return matcher.hear(np.zeros(matcher.rate, np.float32))["mean"].shape[1]


def sounding(threads: int) -> dict[str, Any]:
    """Return what it costs to take 30 s of sound to latents and back, by untrained codecs."""
    command = [sys.executable, "-c", SOUND, str(threads), str(SOUNDED)]
    said: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    return {"seconds of sound": SOUNDED, **said}


def made_sound(clip: Path, folder: Path, threads: int) -> dict[str, Any]:
    """Return what it costs to make SOUNDED seconds of sound for ``clip`` by an untrained flow.

    From an empty process to the file; "draw" is what noise takes to become sound.
    """
    from emsync.muvi.checkpoint import Shape, System, installed_conditioners
    from emsync.muvi.codec import CodecShape
    from emsync.muvi.dit import DitShape
    from emsync.synchrony.towers import TowerConfig

    told = installed_conditioners()
    System(Shape(CodecShape(), DitShape(), told, TowerConfig())).save(folder / "muvi")
    film = repeated(clip, folder, SOUNDED)
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", MAKE]
    run = json.loads(
        subprocess.run(
            [*command, str(folder / "muvi"), str(film), str(folder / "made.wav"), str(threads)],
            check=True, stdout=subprocess.PIPE,
        ).stdout
    )  # fmt: skip
    return {
        "seconds of film": SOUNDED,
        "seconds": run["seconds"],
        "seconds to draw": run["said"]["compose"],
        "peak memory, MB": run["peak"],
    }


@dataclass
class Bench:
    """What the parts measure, and a folder for their films and scores."""

    asked: argparse.Namespace
    folder: Path

    @cached_property
    def shipped(self) -> Composer:
        return Composer.from_pretrained(CHECKPOINT)

    @cached_property
    def base(self) -> Composer:
        return random_base(self.shipped)

    @cached_property
    def clip(self) -> Path:
        given: Path | None = self.asked.video
        return given or drawn(self.folder)

    def film(self, seconds: float) -> Path:
        return repeated(self.clip, self.folder, seconds)

    def generating(self) -> dict[str, Any]:
        """Return what composing costs with the large network and with a trained one."""
        asked, film = self.asked, self.film(FILM)
        self.base.save_pretrained(self.folder / "base", torch.int8)
        return {
            f"{name}, {how}": generating(film, checkpoint, asked.threads, *more)
            for name, checkpoint, how, more in (
                ("random emsync-base", self.folder / "base", "plain", PLAIN),
                ("random emsync-base", self.folder / "base", "as it comes", ()),
                (asked.checkpoint, asked.checkpoint, "plain", PLAIN),
                (asked.checkpoint, asked.checkpoint, "as it comes", ()),
            )
        }

    def watching(self) -> dict[str, Any]:
        """Return how fast a film and one of a telephone are watched."""
        portrait = redrawn(self.clip, self.folder / "portrait.mp4", *PORTRAIT)
        return {"film": watching(self.film(FILM)), "portrait": watching(portrait)}

    def lengths(self) -> dict[str, Any]:
        """Return what films of several lengths cost."""
        films = [self.film(seconds) for seconds in self.asked.lengths]
        return over_lengths(films, self.asked.checkpoint, self.asked.threads)

    def retrieval(self) -> dict[str, Any]:
        """Return what it costs to seek by two systems."""
        names, threads = ("of-vm-net", "vm-net"), self.asked.threads
        return {name: seeking(self.folder, name, threads) for name in names}

    def muvi(self) -> dict[str, Any]:
        """Return what sound by flow matching costs."""
        threads = self.asked.threads
        return {
            "sound": sounding(threads), "film": made_sound(self.clip, self.folder, threads)
        }  # fmt: skip

    def prepare(self) -> dict[str, Any]:
        """Return how fast songs are read, if there are any."""
        return preparing(self.asked.songs) if self.asked.songs else {"skipped": "no --songs"}


PARTS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "start": lambda _: starting(),
    "first": lambda bench: first_run(bench.folder),
    "decode": lambda bench: decoding(bench.base.model),
    "gpu": lambda bench: on_gpu(bench.base.model),
    "drafts": lambda bench: drafting(bench.base.model, bench.shipped),
    "conditions": lambda _: telling(),
    "guidance": lambda _: guiding(),
    "rules": lambda bench: ruling(bench.shipped),
    "prepare": Bench.prepare,
    "retrieval": Bench.retrieval,
    "muvi": Bench.muvi,
    "generate": Bench.generating,
    "watch": Bench.watching,
    "lengths": Bench.lengths,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="a trained one to compose with")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--songs", type=Path, help="a folder of Lakh Pianoroll")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lengths", type=float, nargs="+", default=[10.0, 60.0, 180.0, 600.0])
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    report: dict[str, Any] = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "threads of the model": asked.threads,
        "film": str(asked.video or "the demonstration's, 640x360, 25 frames a second, with noise"),
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(asked, Path(folder))
        for part, measured in PARTS.items():
            if part in asked.only:
                report[part] = measured(bench)
                print(f"{part}: done", file=sys.stderr)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
