"""The reports of ``emsync evaluate`` as lines and tables in Markdown."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

ERRORS = {"median_ms": "+.0f", "p95_ms": "+.0f", "p95_absolute_ms": ".0f"}  # their formats
ARCS = {  # the measures of ``evaluation.following`` in words
    "density": "notes a second of each instrument",
    "polyphony": "pitched notes at once",
    "velocity": "velocity (by rule)",
    "mode": "major less minor key",
    "major_thirds": "share of major thirds",
    "register": "mean pitch",
}

MOVES = {  # the measures of ``metrics.harmony`` in words
    "distinct": "distinct chords in 30 s",
    "changes": "changes of chord a bar",
    "commonest": "commonest root's share",
    "drone": "longest time on one root, s",
    "on_chord": "sounding time on the heard chord",
    "cadences": "arrivals on the tonic from its fifth",
}
RETURNED = "passages of one theme more alike than of two"


def sync_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines that say what ``sync`` measured."""
    hits = report["cut_hits"]
    names = {name: None for row in hits["events"].values() for name in row["within"]}
    lines = [f"{hits['cuts']} cuts in {report['duration']:.2f} s; shares hit, and by chance"]
    lines += grid(
        ["", *names, "median ms"],
        [
            [kind, *(f"{number(w['share'], '.0%')} / {w['shuffled']:.0%}"
                     for w in row["within"].values()), number(row["median_ms"], "+.0f")]
            for kind, row in hits["events"].items()
        ],
    )  # fmt: skip
    lines += ["AV-Align, and with the sound shifted"]
    lines += [
        f"  {name:<14} {row['score']:.3f}  {row['shifted']:.3f}"
        for name, row in report["av_align"].items()
    ]
    lines += [f"CM {report['cm']:.3f}", _sim(report["sim"])]
    lines += [
        f"beats, {name:<6} cover {row['cover']:.2f}, hit {row['hit']:.2f}"
        for name, row in report.get("beats", {}).items()
    ]
    if "tags" in report:
        row = report["tags"]
        lines.append(f"tags ({row['tagger']}): KL {row['kl_categorical']:.3f} categorical, "
                     f"{row['kl_bernoulli']:.3f} Bernoulli")  # fmt: skip
    return lines


def _sim(row: Mapping[str, Any] | None) -> str:
    """Return the line that says how far the music moves with the film, and where the least."""
    if row is None:
        return "SIM not measured: no towers are installed; name some with --synchrony"
    worst = min(range(len(row["curve"])), key=row["curve"].__getitem__)
    return (
        f"SIM {row['score']:.3f}, with the music shifted {row['shifted']:.3f}; the least around "
        f"{row['times'][worst]:.1f} s, {row['curve'][worst]:.3f}"
    )


def retrieval_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines that say how well the music of films was found."""
    systems, chance = report["systems"], report["chance"]
    told = [k for k in chance["recall"] if int(k) < report["gallery"]]  # else it is found anyhow
    head = ["", *(f"R@{k}" for k in told), "median rank", "mean percentile", "p"]
    rows = [
        [name, *(_share(row["recall"][k]) for k in told), _rank(row["median_rank"]),
         ranged(row["percentile"]), f"{row['p']:.2g}"]
        for name, row in systems.items()
    ]  # fmt: skip
    rows.append([
        "chance", *(f"{chance['recall'][k]:.1%}" for k in told),
        f"{chance['median_rank']:.0f}", f"{chance['percentile']:.3f}", "",
    ])  # fmt: skip
    if "frechet" in chance:
        head.append("Fréchet")
        for cells, row in zip(rows, [*systems.values(), chance], strict=True):
            cells.append(f"{row['frechet']:.3f}")
    if any("flow_order" in row for row in systems.values()):
        head.append("in order of flow")
        for cells, row in zip(rows, [*systems.values(), {}], strict=True):
            cells.append(_share(row["flow_order"]) if "flow_order" in row else "")
    lines = [
        f"{report['films']} films of {report['units']} songs or sources, {report['seconds']} s each"
        f"; the music of each among {report['gallery']} passages"
    ]
    notes = [
        f"{name}: a shortlist has {row['shortlist']:.1%} of the best ten"
        for name, row in systems.items()
        if "shortlist" in row and report["films"] > report["listed"]  # else all are on it
    ]
    notes += [report["note"]] if report["note"] else []
    return [*lines, "", *grid(head, rows), *(line for note in notes for line in ("", note))]


def sound_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines that say how near music comes to real music as sound."""
    taggers = report["taggers"]
    measures = {
        "Fréchet distance": ("distance",),
        "led on to endlessly many patches": ("endless",),
        "of one half of the reference from the other": ("own", "distance"),
        "led on": ("own", "endless"),
        "KL of the tags of pairs, nats": ("kl",),
        "of any other two": ("kl_others",),
        "inception score": ("inception",),
        "of the reference": ("inception_reference",),
    }
    rows = [
        [words, *(ranged(_inner(row, path), ".2f") for row in taggers.values())]
        for words, path in measures.items()
    ]
    first = next(iter(taggers.values()))
    own = "" if first["own"] is None else f", {first['own']['patches']} of each half"
    head = (
        f"{report['files']} files beside {report['reference']}, {report['pairs']} of one name; "
        f"{first['patches']} patches of each{own}"
    )
    return [head, "", *grid(["", *taggers], rows)]


def _inner(row: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for key in path:
        row = row[key] or dict.fromkeys(("value", *path))
    return row


def told_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table of what telling gives, in nats a token."""
    columns = ("own", "other", "own_less_other")
    rows = [
        [name, number(row["none"]["value"], ".3f"), *(_change(row[key]) for key in columns),
         str(row["own"]["n"])]
        for name, row in {**report["conditions"], **report["given"]}.items()
    ]  # fmt: skip
    return grid(["told, nats", "nothing", "its own", "another song's", "between", "songs"], rows)


def quality_tables(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of the tables of scores beside songs, muspy's where it is installed."""
    lines = portrait_table(report["portrait"], "scores")
    if "statistics" in report:
        return [*lines, "", *quality_table(report["statistics"])]
    return [*lines, "", "For muspy's statistics, too: python -m pip install 'emsync[evaluate]'"]


def portrait_table(measures: Mapping[str, Mapping[str, Any]], what: str) -> list[str]:
    """Return the lines of a table of the measures of ``metrics.portrait``."""
    return grid(
        ["measure", f"{what}, median", "n", "songs: median [middle 80 %]", "inside"],
        [
            [name, number(row["median"], ".2f"), number(row["n"], ".0f"),
             f"{number(row['reference_median'], '.2f')} "
             f"[{number(row['low'], '.2f')}, {number(row['high'], '.2f')}]",
             number(row["inside"], ".0%")]
            for name, row in measures.items()
        ],
    )  # fmt: skip


def quality_table(statistics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table of symbolic statistics."""
    return grid(
        ["statistic", "scores", "songs", "overlap", "overlapped area", "KL", "songs' own", "KL"],
        [
            [name, number(row["mean"], ".3f"), number(row["reference_mean"], ".3f"),
             *(number(row[key], ".2f") for key in
               ("overlap", "overlapped_area", "kl", "real_overlapped_area", "real_kl"))]
            for name, row in statistics.items()
        ],
    )  # fmt: skip


def control_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table of what was requested against what was measured."""
    named = {
        "arousal, notes a second of each instrument": report["arousal"],
        "valence, mood model": report["valence"]["mood_model"],
        "valence, major less minor key": report["valence"]["mode"],
        "valence, share of major thirds": report["valence"]["major_thirds"],
        "onset density, onsets a second": report["onset_density"],
    }
    rows = [
        [name, f"{number(row['rho'], '+.2f')} [{number(row['low'], '+.2f')}, "
               f"{number(row['high'], '+.2f')}]", str(row["n"])]
        for name, row in named.items()
    ]  # fmt: skip
    bounds = report["boundaries"]
    rows.append([
        "boundaries, a chord within 1 s",
        f"{bounds['hit']:.0%}, by chance {bounds['chance']:.0%}", str(bounds["requested"]),
    ])  # fmt: skip
    lines = [*grid(["requested, measured", "Spearman's rho", "n"], rows), "", *arcs_table(report)]
    if "planned" in report:  # a report of an older version has none
        lines += ["", "The same, each with a plan:", "", *arcs_table(report, "planned")]
    return lines


def arcs_table(report: Mapping[str, Any], key: str = "arcs") -> list[str]:
    """Return the lines of a table of how the music follows arcs within pieces."""
    columns = [
        (arm, axis) for arm in ("conditioned", "constant") for axis in ("valence", "arousal")
    ]
    head = [f"{arm}: {axis}" for arm, axis in columns]
    rows = [
        [words, *(_followed(report[key][name][arm][axis]) for arm, axis in columns)]
        for name, words in ARCS.items()
    ]
    title = f"scenes of {report['scene']:g} s, rho within pieces"
    return grid([title, *head], rows)


def _followed(row: Mapping[str, Any]) -> str:
    if row["rho"] is None:
        return "–"
    return (f"{row['rho']:+.2f} [{number(row['low'], '+.2f')}, {number(row['high'], '+.2f')}], "
            f"p {row['p']:.4f}, n {row['n']}")  # fmt: skip


def plan_table(report: Mapping[str, Any]) -> str:
    """Return the report of how the music follows its plan as lines of Markdown."""
    arms, real = report["arms"], report["real"]
    head = (
        f"{report['clips']} clips, {report['seeds']} seeds, {report['candidates']} candidates; "
        "brackets: 95 %, percentile bootstrap over clips"
    )
    named = {
        "planned root heard": ("root",),
        "by chance": ("chance", "root"),
        "root and quality": ("chord",),
        "by chance ": ("chance", "chord"),
        "sounding time on the planned chord": ("on_chord",),
        "of those not asked, rest": ("rest",),
        "of those asked, play": ("play",),
        "cuts with a chord within a frame": ("cuts",),
        "onsets, of those asked": ("onsets",),
    }
    rows = []
    for words, path in named.items():
        cells = []
        for arm in arms.values():
            for key in path:
                arm = arm[key]
            cells.append(_share(arm))
        rows.append([words, *cells])
    moves = [
        [words,
         *(f"{ranged(arm['moves'][name])}; {number(arm['moves'][name]['inside'], '.0%')} inside"
           for arm in arms.values()),
         f"{real[name]['median']:.2f} [{real[name]['low']:.2f}, {real[name]['high']:.2f}]"]
        for name, words in MOVES.items()
    ]  # fmt: skip
    moves += [
        [RETURNED, *(ranged(arm["returned"]) for arm in arms.values()), "–"],
    ]
    kept = report["notes"]
    classes = list(next(iter(kept.values())))
    played = [[arm, *(_share(row[name]) for name in classes)] for arm, row in kept.items()]
    portraits = [["", *portrait_table(row["portrait"], arm)] for arm, row in arms.items()]
    return "\n".join([
        head, "", *grid(["share", *arms], rows), "",
        *grid(["heard chords", *arms, "real songs, middle 80 %"], moves), "",
        *grid([f"notes, of those of “{report['base']}”", *classes], played),
        *chain.from_iterable(portraits),
    ])  # fmt: skip


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def number(value: float | None, how: str) -> str:
    """Return ``value`` in the format ``how``, or a dash where there is none."""
    return "–" if value is None else format(value, how)


def suite_table(report: Mapping[str, Any]) -> str:
    """Return the report of the suite as a page of Markdown."""
    title = (
        f"# emsync {report['version']}, {report['checkpoint']}: "
        f"{len(report['clips'])} clips, {report['seeds']} seeds"
    )
    words = (
        "*Conditioned*: the model knows the cuts. *Fitted*: time is bent onto them. Brackets: "
        f"{report['interval']}. *Shuffled*: the same music, the cuts moved around the video."
    )
    lines = [title, "", words, *_hits(report), *_errors(report), *_tests(report)]
    lines += [*_av_align(report), *_cm(report)]
    if "quality" in report:
        q = report["quality"]
        what = f"{q['scores']} scores beside {q['songs']} songs of {q['seconds']:.0f} s"
        lines += ["", f"## Quality, {what}", "", *quality_tables(q)]
    if "control" in report:
        lines += ["", "## Control", "", *control_table(report["control"])]
    return "\n".join([*lines, *_clips(report)]) + "\n"


def soundtracks_table(report: Mapping[str, Any]) -> str:
    """Return the report of a maker of sound as a page of Markdown."""
    title = (
        f"# emsync {report['version']}, {report['checkpoint']}: "
        f"{len(report['clips'])} clips, {report['seeds']} seeds"
    )
    words = (
        "Sound, made with the cuts told and not. *Hits*: cuts with an event within a frame; *by "
        "chance*: the same cuts moved around the video. *Beats*: those of the film's own sound. "
        f"Brackets: {report['interval']}."
    )
    figures = report["figures"]
    arms = list(next(iter(figures.values())))
    lines = [title, "", words, ""]
    lines += grid(["", *arms], [
        [name, *(f"{ranged(row[arm])}, n {row[arm]['n']}" for arm in arms)]
        for name, row in figures.items()
    ])  # fmt: skip
    lines += ["", "Exact sign-flip test over clips with cuts, two-sided", ""]
    lines += grid(["hits", "a − b", "difference", "p", "clips"], [
        [t["kind"], f"{t['a']} − {t['b']}", number(t["difference"]["value"], "+.2f"),
         f"{t['p']:.2g}", str(t["clips"])]
        for t in report["tests"]
    ])  # fmt: skip
    lines += ["", *grid(["clip", "seconds", "cuts"], [
        [row["clip"], f"{row['duration']:.2f}", str(row["cuts"])] for row in report["clips"]
    ])]  # fmt: skip
    lines += [f"- {item['path']}: {item['reason']}" for item in report["failed"]]
    return "\n".join(lines) + "\n"


def _measures(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the kinds of events and the tolerances, which are those of every arm."""
    kinds = next(iter(report["cut_hits"].values()))
    return [(kind, name) for kind, row in kinds.items() for name in row["within"]]


def _hits(report: Mapping[str, Any]) -> list[str]:
    hits = report["cut_hits"]
    total = next(iter(hits.values()))["onset"]["cuts"]
    rows = []
    for kind, name in _measures(report):
        row = [f"{kind}, {name}"]
        for arm in hits.values():
            within = arm[kind]["within"][name]
            row += [_share(within["share"]), _share(within["shuffled"], False)]
        rows.append(row)
    head = [f"{total} cuts", *(words for arm in hits for words in (arm, "shuffled"))]
    return ["", "## Cuts hit", "", *grid(head, rows)]


def _errors(report: Mapping[str, Any]) -> list[str]:
    hits = report["cut_hits"]
    kinds = dict.fromkeys(kind for kind, _ in _measures(report))
    rows = [
        [kind, *(", ".join(number(arm[kind][key], how) for key, how in ERRORS.items())
                 for arm in hits.values())]
        for kind in kinds
    ]  # fmt: skip
    title = "Signed error of the nearest event, ms: median, 95th percentile, of its size"
    return ["", title, "", *grid(["", *hits], rows)]


def _tests(report: Mapping[str, Any]) -> list[str]:
    versus = list(dict.fromkeys((t["a"], t["b"]) for t in report["tests"]))
    found = {(t["kind"], t["tolerance"], t["a"], t["b"]): t for t in report["tests"]}
    rows = []
    for kind, name in _measures(report):
        tests = [found[kind, name, a, b] for a, b in versus]
        cells = [f"{number(t['difference']['value'], '+.2f')}, p {t['p']:.2g}" for t in tests]
        rows.append([f"{kind}, {name}", *cells])
    title = "Exact sign-flip test over clips with cuts, two-sided"
    return ["", "## Tests", "", title, "", *grid(["p", *(f"{a} − {b}" for a, b in versus)], rows)]


def _av_align(report: Mapping[str, Any]) -> list[str]:
    sources = [*report["arms"], "own sound"]
    rows = [
        [variant, *(f"{ranged(row[s]['score'])} / {number(row[s]['shifted']['value'], '.3f')}"
                    for s in sources)]
        for variant, row in report["av_align"].items()
    ]  # fmt: skip
    own = report["av_align"]["v2"]["own sound"]["score"]["n"]
    return [
        "", "## AV-Align", "", "After the bar: the same with the sound shifted", "",
        *grid(["variant", *sources], rows),
        "", f"Own sound: that of the {own} clips that have any.",
    ]  # fmt: skip


def _cm(report: Mapping[str, Any]) -> list[str]:
    row = ["CM", *(ranged(estimate) for estimate in report["cm"].values())]
    return ["", "## CM, power 5, local, no delay", "", *grid(["", *report["cm"]], [row])]


def _clips(report: Mapping[str, Any]) -> list[str]:
    rows = [
        [row["clip"], f"{row['duration']:.2f}", str(row["cuts"]),
         ", ".join(map(str, row["notes"])), ", ".join(map(str, row["instruments"])),
         "; ".join(row["broken"]) or "ok"]
        for row in report["clips"]
    ]  # fmt: skip
    head = ["clip", "s", "cuts", "notes", "instruments", "files"]
    lines = ["", "## Clips", "", *grid(head, rows)]
    if report["failed"]:
        lines += ["", "Not read:", ""]
        lines += [f"- {row['path']}: {row['reason']}" for row in report["failed"]]
    return lines


def _share(estimate: Mapping[str, Any], interval: bool = True) -> str:
    if estimate["value"] is None:
        return "–"
    reach = f" [{estimate['low']:.0%}, {estimate['high']:.0%}]" if interval else ""
    return f"{estimate['value']:.0%}{reach}"


def _rank(estimate: Mapping[str, Any]) -> str:
    return f"{estimate['value']:.0f} [{estimate['low']:.0f}, {estimate['high']:.0f}]"


def _change(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    return f"{estimate['value']:+.3f} [{estimate['low']:+.3f}, {estimate['high']:+.3f}]"


def ranged(estimate: Mapping[str, Any], how: str = ".3f") -> str:
    """Return a figure and its interval, each formatted as ``how`` says; a dash for none."""
    if estimate["value"] is None:
        return "–"
    value, low, high = (number(estimate[key], how) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
