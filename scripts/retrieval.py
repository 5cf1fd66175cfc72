"""Write the tables of docs/retrieval.md: python scripts/retrieval.py SHARED STORE... [--out FILE]

The first STORE, of drawn films, is what all systems learn from. Further ones are controls: films
that follow nothing (--follow 0), or by one channel alone; two systems learn from each of them.
SHARED holds the folder clips with a MANIFEST.csv: films that nothing learns from. What was trained
and measured is kept in --runs, so the same command goes on where it was stopped.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from emsync.errors import EmsyncError
from emsync.evaluation.retrieval import evaluate
from emsync.evaluation.tables import grid, number
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.measured import Measured
from emsync.retrieval.pairs import PairStore
from emsync.retrieval.prepare import prepare
from emsync.retrieval.training import train

TWINS = {"lego_small.ogv"}  # the same film as another clip
WITH_MUSICNN = ("musicnn", "onsets", "chroma")
FEATURES = {  # what is read of films, and of music
    "lite0": (("lite0",), WITH_MUSICNN),
    "motion": (("motion",), WITH_MUSICNN),
    "lite0+motion": (("lite0", "motion"), WITH_MUSICNN),
    "plain": (("motion", "colour"), ("mel", "onsets", "chroma")),
}


ALL = 10**6  # triplets: all that are violated, however large the batch


@dataclass(frozen=True)
class Kind:
    """A network, its settings, and the films of a step."""

    name: str
    folder: str
    system: str
    network: Mapping[str, Any]
    batch: int


KINDS = (
    Kind("VM-Net", "vm-net", "vm-net", {}, 64),
    Kind(
        "OF-VM-Net, λ3..6 = 0", "of-vm-net", "of-vm-net",
        {"preset": "retrieval", "violated": ALL}, 32,
    ),
    Kind("OF-VM-Net", "of-flow", "of-vm-net", {"preset": "balanced", "violated": ALL}, 32),
    Kind("OF-VM-Net, λ3..6 = 0, the worst 10", "of-ten", "of-vm-net", {"preset": "retrieval"}, 32),
)  # fmt: skip
CONTROLS = KINDS[:2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--runs", type=Path, default=Path("runs/retrieval"))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--out", type=Path, help="tables.md in --runs, if not given")
    asked = parser.parse_args()
    try:
        text = "\n".join(tables(asked.shared, asked.stores, asked.runs, asked.epochs))
    except EmsyncError as error:
        sys.exit(f"retrieval: {error}")
    out = asked.out or asked.runs / "tables.md"
    out.write_text(text + "\n", encoding="utf-8")
    print(out)


def tables(shared: Path, stores: Sequence[Path], runs: Path, epochs: int) -> Iterator[str]:
    """Yield the lines of all tables."""
    first, *others = stores
    opened = PairStore.open(first)
    learned = sorted({pair.style for pair in opened.pairs if pair.split == "train"})
    unseen = sorted({pair.style for pair in opened.pairs} - set(learned))
    there = {*opened.head.film, *opened.head.music}
    features = {n: f for n, f in FEATURES.items() if there.issuperset((*f[0], *f[1]))}
    trained = {
        (feature, kind.name): fitted(first, runs / first.name, feature, kind, epochs)
        for feature in features
        for kind in KINDS
    }
    tests = [
        ("Styles that were trained on", first, learned),
        *([("Styles never met", first, unseen)] if unseen else []),
        ("Real clips", real(shared, runs), []),
    ]
    songs = len({pair.group for pair in opened.pairs if pair.split == "train"})
    yield f"Trained on {songs:,} songs, {epochs} epochs; films of {opened.head.seconds:.0f} s."
    for title, store, styles in tests:
        key = f"{first.name}-on-{title.lower().replace(' ', '-')}.json"
        folders = [str(folder) for folder in trained.values()]
        report = kept(runs / key, partial(evaluate, store, folders, styles=styles))
        yield from ("", f"## {title}", "", described(report), "")
        yield from table(report, {str(v): k for k, v in trained.items()})
    if others:
        yield from ("", "## What follows what", "")
        yield from controls([first, *others], runs, epochs)


def fitted(store: Path, runs: Path, feature: str, kind: Kind, epochs: int) -> Path:
    """Return the folder of a system that was trained on ``store``, now or before."""
    film, music = FEATURES[feature]
    out = runs / f"{feature}-{kind.folder}"
    songs = {pair.group for pair in PairStore.open(store).pairs if pair.split == "train"}
    config = RetrievalConfig(
        store=str(store), out=str(out), system=kind.system, film=film, music=music,
        network=kind.network, epochs=epochs, batch=min(kind.batch, len(songs)),
    )  # fmt: skip
    if not (out / "done").exists():
        print(f"training {out}", file=sys.stderr, flush=True)
        train(config)
        (out / "done").touch()
    return out


def real(shared: Path, runs: Path) -> Path:
    """Return a store of the real clips that have sound."""
    with (shared / "clips" / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] not in TWINS]
    audible = [row for row in rows if row["has_audio"] == "yes" and row["audio_silent"] == "no"]
    runs.mkdir(parents=True, exist_ok=True)
    with (told := runs / "sources.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("clip", "tags", "source"),
                *((row["file"], "", row["source_repo"]) for row in audible),
            ]
        )
    clips = [shared / "clips" / row["file"] for row in audible]
    prepare(runs / "real", clips, f"csv:{told}", Measured())
    return runs / "real"


def controls(stores: Sequence[Path], runs: Path, epochs: int) -> Iterator[str]:
    """Yield the lines of the table of what is found where films follow music by other channels."""
    rows = []
    for store in stores:
        opened = PairStore.open(store)
        feature = "lite0+motion" if "lite0" in opened.head.film else "plain"
        styles = sorted({pair.style for pair in opened.pairs if pair.split == "train"})
        folders = [fitted(store, runs / store.name, feature, kind, epochs) for kind in CONTROLS]
        measure = partial(evaluate, store, [str(folder) for folder in folders], styles=styles)
        report = kept(runs / f"{store.name}-itself.json", measure)
        names = {str(f): k.name for f, k in zip(folders, CONTROLS, strict=True)}
        told = followed(opened.head.made.get("follow", {}))
        for name, row in report["systems"].items():
            if name in names or name in ("cm", "dm"):
                rows.append([told, names.get(name, name.upper()), *cells(row, report["gallery"])])
    yield from grid(["films follow", "system", *HEAD], rows)


def followed(follow: Mapping[str, float]) -> str:
    """Return in words how much films follow music, by which channels."""
    strengths = set(follow.values())
    if len(strengths) == 1:
        return f"all {strengths.pop():g}"
    return ", ".join(f"{name} {k:g}" for name, k in follow.items() if k)


HEAD = ("R@1", "R@10", "median rank", "mean percentile", "p")


def table(report: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the lines of the table of one test."""
    chance = report["chance"]
    rows = [[
        "chance", "", f"{chance['recall']['1']:.1%}", f"{chance['recall']['10']:.1%}",
        f"{chance['median_rank']:.0f}", "0.500", "", number(chance.get("frechet"), ".2f"), "",
    ]]  # fmt: skip
    for name, row in report["systems"].items():
        folder, _, how = name.partition(", ")
        feature, system = names.get(folder, ("", name.upper() if len(name) == 2 else name))
        flow = row.get("flow_order")
        rows.append([
            f"{system}{', ' + how if how and folder in names else ''}", feature,
            *cells(row, report["gallery"]), number(row.get("frechet"), ".2f"),
            f"{flow['value']:.0%}" if flow else "",
        ])  # fmt: skip
    return grid(["system", "films are read by", *HEAD, "Fréchet", "in order of flow"], rows)


def cells(row: Mapping[str, Any], gallery: int) -> list[str]:
    """Return the cells of a row under HEAD; R@K says nothing of ``gallery`` pieces or fewer."""
    recall, percentile = row["recall"], row["percentile"]
    shares = [
        f"{one['value']:.1%} [{one['low']:.1%}, {one['high']:.1%}]" if int(k) < gallery else "–"
        for k, one in recall.items()
        if k in ("1", "10")
    ]
    return [
        *shares, f"{row['median_rank']['value']:.0f}",
        f"{percentile['value']:.3f} [{percentile['low']:.3f}, {percentile['high']:.3f}]",
        f"{row['p']:.2g}",
    ]  # fmt: skip


def described(report: Mapping[str, Any]) -> str:
    """Return in words what was asked."""
    styles = f" ({', '.join(report['styles'])})" if report["styles"] else ""
    return (
        f"{report['films']} films{styles} of {report['units']} songs or sources, "
        f"{report['seconds']} s each, among {report['gallery']} passages."
    )


def kept(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return what ``path`` holds, or make it."""
    if not path.exists():
        print(f"measuring {path.stem}", file=sys.stderr, flush=True)
        path.write_text(json.dumps(make()))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    main()
