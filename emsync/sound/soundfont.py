"""A sound font read and checked, and the part of one that a track plays, written for symusic.

symusic's synthesizer believes all numbers in a font, so it crashes on a damaged one; it takes no
notice of root keys, so notes sound out of tune; and it rounds the ends of a loop to samples, so it
runs forever on a loop shorter than one. Hence it never gets a font that we did not write: each
sample with its key in its header, and its loop repeated until rounding makes no difference.

Numbers and names are those of SoundFont 2.04; .sf3 is the same with each sample in Ogg Vorbis.
"""

import io
import math
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emsync.errors import AssetError, warn
from emsync.limits import quoted, shown

DRUM_BANK = 128
STROKE = 127  # the velocity that the part is written for
LOOP = 1024  # frames that a loop has at least when it sounds: rounding detunes it by 2 cents
LAYERS = 16  # zones that sound at one key; more are left out
RATES = 400, 400_000  # samples a second; another rate is damage
HIGHEST_RATE = 48_000  # symusic keeps rates in 16 bits
MOST_FRAMES = 2**25  # that a sample has when it sounds, 12 minutes; the rest is left out
MOST_SAMPLES = 2**27  # of one part, in all
MOST_LOAD = 1_000_000  # zones and generators that a preset visits
MOST_RECORDS = 64 * 2**20  # bytes of the records, in all; the largest fonts have 10 MB

PAN, ATTENUATION, INSTRUMENT, KEYS, VELOCITIES, SAMPLE = 17, 48, 41, 43, 44, 53
COARSE, FINE, MODE, SCALE, ROOT, FIXED_KEY = 51, 52, 54, 56, 58, 46
ENVELOPE = (33, 34, 35, 36, 37, 38)
# the offsets of start, end, loop start and loop end, in samples and in 32,768 samples
OFFSETS = ((0, 4), (1, 12), (2, 45), (3, 50))
DEFAULTS = {KEYS: 0x7F00, VELOCITIES: 0x7F00, SCALE: 100, ROOT: -1, FIXED_KEY: -1} | dict.fromkeys(
    (33, 34, 35, 36, 38), -12000
)

Records = NDArray[Any]

_NAME = ("name", "S20")
RECORDS = {
    b"phdr": np.dtype([_NAME, ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("x", "S12")]),
    b"pbag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"pmod": np.dtype("S10"),
    b"pgen": np.dtype([("kind", "<u2"), ("amount", "<u2")]),
    b"inst": np.dtype([_NAME, ("bag", "<u2")]),
    b"ibag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"imod": np.dtype("S10"),
    b"igen": np.dtype([("kind", "<u2"), ("amount", "<u2")]),
    b"shdr": np.dtype(
        [
            *(_NAME, ("start", "<u4"), ("end", "<u4"), ("loop", "<u4"), ("loop_end", "<u4")),
            *(("rate", "<u4"), ("key", "u1"), ("tune", "i1"), ("link", "<u2"), ("kind", "<u2")),
        ]
    ),
}
NOTHING = np.zeros(0, np.int16)
ROM = 0x8000  # of a sample's kind: it is in a sound card


@dataclass(frozen=True, eq=False)
class SoundFont:
    """The records of a font, sound in themselves: every index is within its table."""

    path: Path
    compressed: bool  # whether its samples are Ogg Vorbis (.sf3)
    samples: tuple[int, int]  # where in the file they begin, and their bytes
    records: dict[bytes, Records]


class Zone(NamedTuple):
    """What sounds at some keys of a preset."""

    low: int  # key
    high: int
    generators: dict[int, int]  # of instrument and preset together


def read_soundfont(path: Path) -> SoundFont:
    """Return the font at ``path``; AssetError where it is none, or is cut off or broken."""
    name = quoted(path)
    try:
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
            raise AssetError(f"cannot read the sound font {name}: it is no regular file")
        with path.open("rb") as file:
            try:
                return _read(path, file)
            except _BrokenError as broken:
                raise AssetError(
                    f"the sound font {name} is cut off or broken: {broken}; fetch it again"
                ) from broken
            except _ForeignError as foreign:
                raise AssetError(f"{name} is not a sound font; give an .sf2 or .sf3") from foreign
    except OSError as error:
        raise AssetError(f"cannot read the sound font {name}: {error.strerror}") from error


class _BrokenError(ValueError):
    pass


class _ForeignError(ValueError):
    pass


def _read(path: Path, file: BinaryIO) -> SoundFont:
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise _ForeignError
    end = 8 + int.from_bytes(head[4:8], "little")
    if end > size + 1:
        raise _BrokenError(f"it has {size} of {end} bytes")
    places: dict[bytes, tuple[int, int]] = {}
    for kind, at, length in _chunks(file, 12, min(end, size), (b"LIST",)):
        if kind == b"LIST" and length >= 4:
            file.seek(at)
            inner = (b"ifil", b"smpl", b"sm24", *RECORDS)
            for name, start, n in _chunks(file, at + 4, at + length, inner):
                places.setdefault(name, (start, n))
    if missing := [k.decode() for k in (b"ifil", b"smpl", *RECORDS) if k not in places]:
        raise _BrokenError(f"it has no {missing[0]}")
    file.seek(places[b"ifil"][0])
    version = int.from_bytes(file.read(2), "little")
    if version not in (2, 3):
        raise _BrokenError(f"it is of version {version}")
    if sum(places[kind][1] for kind in RECORDS) > MOST_RECORDS:
        raise _BrokenError("it has too many records")
    records: dict[bytes, Records] = {}
    for kind, dtype in RECORDS.items():
        at, length = places[kind]
        if length % dtype.itemsize or length < dtype.itemsize:
            raise _BrokenError(f"its {kind.decode()} has {length} bytes")
        file.seek(at)
        records[kind] = np.frombuffer(file.read(length), dtype)
    _check(records)
    return SoundFont(path, version == 3, places[b"smpl"], records)


def _chunks(
    file: BinaryIO, at: int, end: int, known: Iterable[bytes]
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and length of the chunks between ``at`` and ``end``.

    A chunk of odd length has a byte of padding after it, which sf3convert leaves out.
    """
    while at + 8 <= end:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if at + 8 + length > end:
            raise _BrokenError(f"a chunk {shown(head[:4])} of it is longer than what holds it")
        yield head[:4], at + 8, length
        at += 8 + length
        if length % 2:
            file.seek(at)
            at += file.read(4) not in known


def _check(records: dict[bytes, Records]) -> None:
    """Refuse indices that go back or lie beyond their table, and presets without end."""
    for holder, bags, generators in ((b"phdr", b"pbag", b"pgen"), (b"inst", b"ibag", b"igen")):
        for of, field, table in ((holder, "bag", bags), (bags, "gen", generators)):
            index = records[of][field].astype(np.int64)
            if (np.diff(index) < 0).any() or index[-1] > len(records[table]):
                raise _BrokenError(f"its {of.decode()} points outside {table.decode()}")
        # each list ends with a record that is none
        if records[holder]["bag"][-1] > len(records[bags]) - 1:
            raise _BrokenError(f"its {holder.decode()} points outside {bags.decode()}")
    pgen, igen = records[b"pgen"], records[b"igen"]
    used = pgen["amount"][pgen["kind"] == INSTRUMENT]
    if (used >= len(records[b"inst"]) - 1).any():
        raise _BrokenError("a preset of it has an instrument that is not there")
    if (igen["amount"][igen["kind"] == SAMPLE] >= len(records[b"shdr"]) - 1).any():
        raise _BrokenError("an instrument of it has a sample that is not there")
    bag = records[b"inst"]["bag"].astype(np.int64)
    load = np.diff(bag) + np.diff(records[b"ibag"]["gen"].astype(np.int64)[bag])
    visits = np.zeros(len(pgen) + 1, np.int64)
    visits[1:][pgen["kind"] == INSTRUMENT] = load[used]
    total = np.cumsum(visits)[records[b"pbag"]["gen"].astype(np.int64)[records[b"phdr"]["bag"]]]
    if (np.diff(total) > MOST_LOAD).any():
        raise _BrokenError("a preset of it has too many zones")
    if not len(used) or not np.isin(records[b"phdr"]["bank"][:-1], (0, DRUM_BANK)).any():
        raise _BrokenError("it has no General MIDI preset")


def find_zones(font: SoundFont, bank: int, program: int) -> Iterator[Zone]:
    """Yield what sounds in a program when it is struck with STROKE; nothing if it is not there.

    Drums have the first kit for one that is not there, as they have in FluidSynth.
    """
    presets = font.records[b"phdr"][:-1]
    there = np.flatnonzero((presets["bank"] == bank) & (presets["preset"] == program))
    if bank == DRUM_BANK and not len(there):
        there = np.flatnonzero(presets["bank"] == bank)
    for preset in there[:1].tolist():
        yield from _zones(font, preset)


def _zones(font: SoundFont, preset: int) -> Iterator[Zone]:
    for outer in _lists(font, b"phdr", b"pbag", b"pgen", preset, INSTRUMENT):
        for inner in _lists(font, b"inst", b"ibag", b"igen", outer[INSTRUMENT], SAMPLE):
            low, high = _range(outer, inner, KEYS)
            softest, loudest = _range(outer, inner, VELOCITIES)
            if low > high or not softest <= STROKE <= loudest:
                continue
            both = {k: DEFAULTS.get(k, 0) + outer.get(k, 0) for k in DEFAULTS | outer}
            both |= {k: value + outer.get(k, 0) for k, value in inner.items()}
            for absolute in (SAMPLE, MODE, ROOT, FIXED_KEY):
                both[absolute] = inner.get(absolute, DEFAULTS.get(absolute, 0))
            yield Zone(low, high, both)


def _lists(
    font: SoundFont, holder: bytes, bags: bytes, generators: bytes, number: int, last: int
) -> Iterator[dict[int, int]]:
    """Yield the generators of each zone of a preset or an instrument that has the ``last`` one."""
    bag, table = font.records[bags]["gen"], font.records[generators]
    first, stop = (int(i) for i in font.records[holder]["bag"][number : number + 2])
    common: dict[int, int] = {}
    for i in range(first, stop):
        zone = dict(common)
        for kind, amount in table[int(bag[i]) : int(bag[i + 1])].tolist():
            whole = kind in (last, KEYS, VELOCITIES)
            zone[kind] = amount if whole or amount < 2**15 else amount - 2**16
            if kind == last:
                yield zone
                break
        else:
            if i == first:  # a first zone without it holds for all others
                common = zone


def _range(outer: dict[int, int], inner: dict[int, int], kind: int) -> tuple[int, int]:
    ranges = [zone.get(kind, DEFAULTS[kind]) for zone in (outer, inner)]
    return max(r & 255 for r in ranges), min(min(r >> 8, 127) for r in ranges)


class _Sample(NamedTuple):
    """A sample as symusic gets it, and the keys at which it sounds."""

    low: int
    high: int
    data: NDArray[np.int16]
    loop: tuple[int, int] | None
    rate: int
    key: int
    tune: int  # cents
    generators: dict[int, int]


def write_part(
    font: SoundFont, bank: int, program: int, pitches: Iterable[int], rate: int, out: Path
) -> None:
    """Write what of ``font`` plays ``pitches`` of a program at ``rate`` to ``out``, as a font.

    What the font does not have is silent.
    """
    wanted, layers, total = sorted(set(pitches)), [0] * 128, 0
    samples: list[_Sample] = []
    zones = list(find_zones(font, bank, program))
    if not zones:
        what = "drums" if bank == DRUM_BANK else f"program {program + 1}"
        warn(f"the sound font {quoted(font.path)} has no {what}; their notes are silent")
    with font.path.open("rb") as file:
        for zone in zones:
            keys = [k for k in wanted if zone.low <= k <= zone.high and layers[k] < LAYERS]
            for k in keys:
                layers[k] += 1
            for (key, tune, own_rate), at in _tuned(font, zone, keys).items():
                ratios = [2 ** ((key - k) / 12 - tune / 1200) * rate / own_rate for k in at]
                data, loop = _sample(font, file, zone, min(ratios), max(ratios))
                if not len(data):
                    continue
                total += len(data)
                if total > MOST_SAMPLES:
                    raise AssetError(
                        f"the sound font {quoted(font.path)} is not played: one "
                        "instrument of it has too many samples; choose another"
                    )
                place = (at[0], at[-1], data, loop, own_rate, key, tune)
                samples.append(_Sample(*place, zone.generators))
    out.write_bytes(_font(bank, program, samples))


def _tuned(font: SoundFont, zone: Zone, keys: list[int]) -> dict[tuple[int, int, int], list[int]]:
    """Return the keys by the key, the tune in cents and the rate that the header has to have."""
    header, g = font.records[b"shdr"][zone.generators[SAMPLE]], zone.generators
    rate = int(header["rate"])
    if not RATES[0] <= rate <= RATES[1]:
        return {}
    root = next((k for k in (g[ROOT], int(header["key"])) if 0 <= k <= 127), 60)
    tune = g.get(COARSE, 0) * 100 + g.get(FINE, 0) + int(header["tune"])  # cents
    found: dict[tuple[int, int, int], list[int]] = {}
    for k in keys:
        struck = g[FIXED_KEY] if 0 <= g[FIXED_KEY] <= 127 else k
        # symusic plays a key by its distance to the header's, and adds the header's tune
        cents = 100 * k - g[SCALE] * (struck - root) - tune
        own = -(-(cents - 50) // 100)  # rounded
        # half the rate, an octave lower, is the same sound
        octaves = max(0, -(-(own - 127) // 12), math.ceil(math.log2(rate / HIGHEST_RATE)))
        octaves = min(octaves, own // 12)
        own_rate = round(rate / 2.0**octaves)
        if 0 <= own - 12 * octaves <= 127 and 1 <= own_rate < 2**16:
            # keys of another scale differ in this, so each of them gets a header of its own
            found.setdefault((own - 12 * octaves, 100 * own - cents, own_rate), []).append(k)
    return found


def _sample(
    font: SoundFont, file: BinaryIO, zone: Zone, lowest: float, highest: float
) -> tuple[NDArray[np.int16], tuple[int, int] | None]:
    """Return the sample of a zone and its loop; it is empty where nothing can sound.

    It is played at ``lowest`` to ``highest`` frames a sample.
    """
    header, g = font.records[b"shdr"][zone.generators[SAMPLE]], zone.generators
    if header["kind"] & ROM:
        return NOTHING, None
    start, end, first, last = (int(header[f]) for f in ("start", "end", "loop", "loop_end"))
    if font.compressed:  # its loops are counted from the sample, in samples
        samples = _decoded(font, file, start, end)
        start, end = 0, len(samples)
    else:
        moved = [g.get(fine, 0) + 32768 * g.get(coarse, 0) for fine, coarse in OFFSETS]
        start, end, first, last = (
            a + b for a, b in zip((start, end, first, last), moved, strict=True)
        )
        start, end = max(0, start), min(end, font.samples[1] // 2)
        first, last = first - start, last - start
        if end - start > MOST_SAMPLES:
            return NOTHING, None
        file.seek(font.samples[0] + 2 * start)
        samples = np.frombuffer(file.read(2 * max(0, end - start)), "<i2")
    samples = samples[: max(1, int(MOST_FRAMES / highest))]
    looped = g[MODE] & 1 and 0 <= first < last <= len(samples)
    if not looped:
        return (samples if len(samples) * lowest >= 8 else NOTHING), None
    period = samples[first:last]
    times = int(min(np.ceil(LOOP / lowest), MOST_FRAMES)) // len(period) + 1
    # some samples more than the loop's end, since symusic reads on to interpolate
    after = np.resize(period, 8)
    whole = np.concatenate([samples[:last], np.tile(period, times - 1), after])
    return whole, (first, len(whole) - len(after))


def _decoded(font: SoundFont, file: BinaryIO, start: int, end: int) -> NDArray[np.int16]:
    """Return a sample in Ogg Vorbis, which lies between two bytes; empty where it is damaged."""
    import av

    if not 0 <= start < end <= font.samples[1]:
        return np.zeros(0, np.int16)
    file.seek(font.samples[0] + start)
    pieces: list[NDArray[np.int16]] = []
    try:
        content = io.BytesIO(file.read(end - start))
        with av.open(content, mode="r", format="ogg") as container:
            resampler: Any = av.AudioResampler("s16", "mono")
            for frame in container.decode(audio=0):
                pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
                if sum(map(len, pieces)) > MOST_FRAMES:
                    break
    except (av.FFmpegError, IndexError, ValueError):
        name = quoted(font.path)
        warn(f"samples of the sound font {name} are damaged; they sound in part, or not at all")
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def _font(bank: int, program: int, samples: list[_Sample]) -> bytes:
    """Return a font of one preset with one zone a sample."""
    igens, ibags, headers, data = b"", b"", b"", []
    at = 0
    for s in samples:
        ibags += struct.pack("<HH", len(igens) // 4, 0)
        amounts = {KEYS: s.low | s.high << 8}
        amounts |= {k: s.generators.get(k, 0) for k in (PAN, ATTENUATION, *ENVELOPE)}
        amounts |= {MODE: int(s.loop is not None), SAMPLE: len(headers) // 46}
        for kind, amount in amounts.items():
            amount = amount if kind == KEYS else max(-(2**15), min(amount, 2**15 - 1))
            igens += struct.pack("<HH", kind, amount & 0xFFFF)
        first, last = s.loop or (0, 0)
        headers += struct.pack(
            "<20s5IBbHH", b"sample", at, at + len(s.data), at + first, at + last,
            s.rate, s.key, s.tune, 0, 1,
        )  # fmt: skip
        data += [s.data.astype("<i2").tobytes(), bytes(92)]  # 46 samples of silence between
        at += len(s.data) + 46
    ibags += struct.pack("<HH", len(igens) // 4, 0)
    end = struct.pack("<HH", 1, 0)
    tables = {
        b"phdr": struct.pack("<20sHHH12x", b"part", program, bank, 0)
        + struct.pack("<20sHHH12x", b"EOP", 0, 0, 1),
        b"pbag": struct.pack("<HH", 0, 0) + end,
        b"pmod": bytes(10),
        b"pgen": struct.pack("<HH", INSTRUMENT, 0) + bytes(4),
        b"inst": struct.pack("<20sH", b"part", 0) + struct.pack("<20sH", b"EOI", len(samples)),
        b"ibag": ibags,
        b"imod": bytes(10),
        b"igen": igens + bytes(4),
        b"shdr": headers + struct.pack("<20s26x", b"EOS"),
    }
    lists = (
        _list(b"INFO", {b"ifil": struct.pack("<HH", 2, 1), b"INAM": b"part\0\0"}),
        _list(b"sdta", {b"smpl": b"".join(data) or bytes(92)}),
        _list(b"pdta", tables),
    )
    return _chunk(b"RIFF", b"sfbk" + b"".join(lists))


def _list(kind: bytes, chunks: dict[bytes, bytes]) -> bytes:
    return _chunk(b"LIST", kind + b"".join(_chunk(k, content) for k, content in chunks.items()))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content  # all of them of even length
