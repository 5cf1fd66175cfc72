"""What a person may wish of the music: the options that ``generate``, ``plan`` and others share."""

from pathlib import Path
from typing import Annotated

import typer

from emsync.errors import UsageError
from emsync.options import Arc, EndingKind, KeepAudio, Mode, Options, Sync

DEFAULTS = Options()
MUSIC, EMOTION, DRAWING, FILES, ADVANCED = (
    "The music", "The emotion", "How it is composed", "What is written", "Advanced",
)  # fmt: skip

# --- the emotion ----------------------------------------------------------------------------------

Emotion = Annotated[
    str | None,
    typer.Option(help="such as joy, or joy=0.7,sadness=0.3", rich_help_panel=EMOTION),
]
Affect = Annotated[float | None, typer.Option(help="from -1 to 1", rich_help_panel=EMOTION)]
EmotionFile = Annotated[
    Path | None,
    typer.Option(help="a CSV of time,valence,arousal or time,emotion", rich_help_panel=EMOTION),
]
Estimator = Annotated[
    str,
    typer.Option(
        help="what it is read from: faces,pictures,sound, or pictures=0.5,clip:FOLDER",
        rich_help_panel=EMOTION,
    ),
]
IgnoreSound = Annotated[
    bool,
    typer.Option(
        "--ignore-sound",
        help="do not listen to the film's own sound, such as a temp track",
        rich_help_panel=EMOTION,
    ),
]
AudioStream = Annotated[
    int | None,
    typer.Option(
        help="which of the film's sounds counts, counted from 0",
        show_default="what players take",
        rich_help_panel=EMOTION,
    ),
]
ArcKind = Annotated[
    Arc, typer.Option(help="whether the emotion follows the scenes", rich_help_panel=EMOTION)
]
LargestMean = Annotated[
    float | None,
    typer.Option(
        help="largest mean of an emotion, to 1: lower is tamer",
        show_default="0.8",
        rich_help_panel=EMOTION,
    ),
]

# --- the music ------------------------------------------------------------------------------------

Cuts = Annotated[str, typer.Option(help="auto, none, or a file of cuts", rich_help_panel=MUSIC)]
CutDistance = Annotated[
    float | None,
    typer.Option(
        help="seconds; of cuts nearer to each other the stronger is hit; 0 keeps all",
        show_default="4; all cuts of a list",
        rich_help_panel=MUSIC,
    ),
]
Tempo = Annotated[
    float | None,
    typer.Option(
        help="beats a minute", show_default="by the arousal and the cuts", rich_help_panel=MUSIC
    ),
]
Tonic = Annotated[
    str,
    typer.Option(
        help="the note the music is built on, such as F#",
        show_default="by the seed",
        rich_help_panel=MUSIC,
    ),
]
ModeOfAll = Annotated[
    Mode | None,
    typer.Option(help="of all sections", show_default="by the valence", rich_help_panel=MUSIC),
]
Chords = Annotated[
    str,
    typer.Option(
        help="'Am F C G': a chord a bar, over and over; Am/2 is half a bar",
        show_default="by the seed",
        rich_help_panel=MUSIC,
    ),
]
Instruments = Annotated[
    str | None,
    typer.Option(
        help="that play: some of drums,bass,guitar,piano,strings",
        show_default="by the arousal",
        rich_help_panel=MUSIC,
    ),
]
Palette = Annotated[
    str | None,
    typer.Option(
        help="who plays: a name of `emsync palettes`, such as orchestra, or a TOML file",
        show_default="by the feeling",
        rich_help_panel=MUSIC,
    ),
]
Theme = Annotated[
    Path | None,
    typer.Option(
        help="a MIDI file: sections of theme A take up its first bars", rich_help_panel=MUSIC
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        help="music, a film or a MIDI file to be like, where the checkpoint takes a style",
        rich_help_panel=MUSIC,
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option(help="what `emsync plan` wrote; wishes edit it", rich_help_panel=MUSIC),
]
LeastHit = Annotated[Sync, typer.Option(help="the least that may hit a cut", rich_help_panel=MUSIC)]
EndingWish = Annotated[
    EndingKind | None,
    typer.Option(
        help="how the music ends", show_default="the plan's, or cadence", rich_help_panel=MUSIC
    ),
]
Humanize = Annotated[
    float,
    typer.Option(
        help="how freely the notes are timed: 0 exactly, 1 up to 20 ms off; never on hits",
        rich_help_panel=MUSIC,
    ),
]
StartTimecode = Annotated[
    str,
    typer.Option(
        help="of the first frame: 01:00:00:00",
        show_default="the film's own",
        rich_help_panel=MUSIC,
    ),
]
Ask = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="what a plug-in condition reads; may be given again",
        rich_help_panel=MUSIC,
    ),
]

# --- how it is composed ---------------------------------------------------------------------------

Seed = Annotated[
    int, typer.Option(min=0, help="another number, another piece", rich_help_panel=DRAWING)
]
Candidates = Annotated[
    int, typer.Option(help="compose so many pieces, keep the best", rich_help_panel=DRAWING)
]
Rhythm = Annotated[
    bool,
    typer.Option(
        "--rhythm",
        help="of the candidates, prefer one that moves with the pictures",
        rich_help_panel=DRAWING,
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="how strongly the conditions weigh: 1 as learned, more is stricter",
        show_default="the checkpoint's",
        rich_help_panel=DRAWING,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(help="higher is bolder", show_default="the checkpoint's", rich_help_panel=DRAWING),
]
TopP = Annotated[
    float | None,
    typer.Option(
        help="draw among the likeliest tokens that hold this share",
        show_default="the checkpoint's",
        rich_help_panel=DRAWING,
    ),
]
AnalysisFile = Annotated[
    Path | None,
    typer.Option(help="what `emsync analyze` wrote, instead of watching", rich_help_panel=ADVANCED),
]
Hardware = Annotated[
    bool,
    typer.Option(
        "--hardware",
        help="let a graphics card decode the film, where one can",
        rich_help_panel=ADVANCED,
    ),
]
TempoChange = Annotated[
    float, typer.Option(help="to hit the cuts; 0.06 is 6 %", rich_help_panel=ADVANCED)
]
TopK = Annotated[
    int | None,
    typer.Option(help="draw among so many tokens at most", rich_help_panel=ADVANCED),
]
RulesOff = Annotated[
    str,
    typer.Option(
        help="rules to lift: sounding,polyphony,length,order,metre,harmony,instruments,theme",
        rich_help_panel=ADVANCED,
    ),
]
CheckpointName = Annotated[
    str,
    typer.Option(
        help="a shipped checkpoint's name, a folder, or hub:user/name", rich_help_panel=ADVANCED
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto", rich_help_panel=ADVANCED)]

# --- what is written ------------------------------------------------------------------------------

KeptAudio = Annotated[
    KeepAudio,
    typer.Option(help="the film's own sound; duck plays music under it", rich_help_panel=FILES),
]
SoundFontFile = Annotated[
    Path | None, typer.Option(help="an .sf2 or .sf3 file to play with", rich_help_panel=FILES)
]
Loudness = Annotated[
    float,
    typer.Option(
        help="how loud all sound is, in LUFS: -16 for the web, -23 for television",
        rich_help_panel=FILES,
    ),
]


def asked(pairs: list[str] | None) -> dict[str, str] | None:
    """Return {name: value} of ``NAME=VALUE`` words."""
    if not pairs:
        return None
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise UsageError(f"--ask {pair!r} is no NAME=VALUE, such as style=calm")
    return dict(pair.split("=", 1) for pair in pairs)


def lifted(names: str) -> tuple[str, ...] | None:
    """Return the rules of ``--rules-off``; None where none is named."""
    return tuple(filter(None, names.split(","))) or None
