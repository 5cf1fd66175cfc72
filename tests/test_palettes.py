"""Palettes as files: what a person writes is read, and what cannot be is named."""

import dataclasses
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from emsync.analysis import Analysis, Cut, State
from emsync.brief import check_files
from emsync.cli import main
from emsync.errors import EmsyncWarning, InputError, UsageError
from emsync.music.general_midi import KITS, PROGRAM_NAMES
from emsync.music.piece import CLASSES, DRUMS
from emsync.options import Options
from emsync.outputs import plan_targets
from emsync.performance.palette import FOLDER, Palette, names, pitch_of, shipped
from emsync.performance.player import BAND
from emsync.planning.casting import casting
from emsync.planning.feeling import SUITING, UNKNOWN, palette_of
from emsync.planning.plan import Plan, Section
from emsync.planning.planner import plan_of
from emsync.sound.soundfont import DRUM_BANK, find_zones
from emsync.sound.synthesis import check_soundfont, default_soundfont
from emsync.video.film import open_film

LACKING = {"piano": ("drums", "guitar"), "lullaby": ("drums",)}
VIOLIN = '[[players]]\nname = "Violin"\nplays = "strings"\nsound = "Violin"\n'


def read(path: Path, text: str) -> Palette:
    (path / "p.toml").write_text(text)
    return Palette.named(str(path / "p.toml"))


@pytest.mark.parametrize("name", names())
def test_a_shipped_palette_plays_all_classes_or_says_why_not(name: str) -> None:
    palette = Palette.named(name)
    lacking = tuple(one for one in CLASSES if one not in palette.classes)
    assert lacking == LACKING.get(name, ())
    if lacking:
        text = (FOLDER / f"{name}.toml").read_text()
        assert all(re.search(rf"\bno .*{one}", text) for one in lacking)
    assert palette.summary == shipped()[name] and len(palette.summary) < 100


@pytest.mark.parametrize("name", names())
def test_the_shipped_sound_font_has_all_sounds_of_a_shipped_palette(name: str) -> None:
    font = check_soundfont(default_soundfont())
    for player in Palette.named(name).players:
        bank = DRUM_BANK if player.instrument == DRUMS else 0
        zones = list(find_zones(font, bank, player.program))
        assert zones
        if bank:  # every stroke has a sound
            keys = {
                key
                for low, high in ((z.low, z.high) for z in zones)
                for key in range(low, high + 1)
            }
            assert {new for _, new in player.strokes if new >= 0} <= keys


def test_the_plain_palette_is_the_plain_band() -> None:
    assert Palette.named("plain").players == BAND


def test_general_midi_has_128_names_each_once() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128
    assert [PROGRAM_NAMES[i] for i in (0, 25, 33, 48, 73, 127)] == [
        "Acoustic Grand Piano", "Acoustic Guitar (steel)", "Electric Bass (finger)",
        "String Ensemble 1", "Flute", "Gunshot",
    ]  # fmt: skip
    assert KITS["Orchestra"] == 48


def test_a_palette_is_read_as_it_is_written(tmp_path: Path) -> None:
    text = """
        summary = "two"
        [[players]]
        name = "Flute"
        plays = "strings"
        sound = "flute"
        range = "C4 - C7"
        octave = 1
        notes = "long"
        line = "upper"
        doubles = true
        volume = 70
        pan = 30
        [[players]]
        name = "Strings"
        plays = "strings"
        sound = 48
        [[players]]
        name = "Drums"
        plays = "drums"
        sound = "orchestra"
        strokes = {hats = "off", toms = "kick", snare = 40}
    """
    palette = read(tmp_path, text)
    flute, strings, drums = palette.players
    assert (flute.program, flute.low, flute.high, flute.octave) == (73, 60, 96, 1)
    assert (flute.notes, flute.line, flute.doubles, flute.pan) == ("long", "upper", True, 30)
    assert strings.program == 48 and (strings.low, strings.high) == (0, 127)
    strokes = dict(drums.strokes)
    assert drums.program == 48
    assert (strokes[42], strokes[41], strokes[38]) == (-1, 36, 40) and 36 not in strokes
    assert palette.classes == ("drums", "strings") and palette.summary == "two"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"Violin"\nplays', '"a\\u0007b"\nplays'), r"the name is 'a\\x07b'"),
        (('"Violin"\nplays', '"../x"\nplays'), "the name is '../x'"),
        (('"strings"', '"brass"'), "plays is 'brass'; choose one of drums, bass"),
        (('sound = "Violin"', 'sound = "Violine"'), "'Violine' is no sound.*did you mean Violin"),
        (('sound = "Violin"', 'sound = "zzz"'), "'zzz' is no sound of General MIDI; name one"),
        (('sound = "Violin"', "sound = 128"), "sound is 128, outside 0 to 127"),
        (('sound = "Violin"', "sound = true"), "True is no sound of General MIDI"),
        (('sound = "Violin"', ""), "'sound' is missing"),
        (('sound = "Violin"', 'sound = "Violin"\nrange = "C5-C3"'), "'C5-C3' is upside down"),
        (('sound = "Violin"', 'sound = "Violin"\nrange = "C4-G4"'), "excludes some notes"),
        (('sound = "Violin"', 'sound = "Violin"\nrange = "H4-G5"'), "'H4' is no pitch such as"),
        (('sound = "Violin"', 'sound = "Violin"\nrange = "high"'), "'high', not two pitches"),
        (('sound = "Violin"', 'sound = "Violin"\nrange = "C4-A9"'), "'A9' is outside C-1 to G9"),
        (('sound = "Violin"', 'sound = "Violin"\nvolume = 128'), "volume is 128, not a whole"),
        (('sound = "Violin"', 'sound = "Violin"\noctave = 5'), "octave is 5, not a whole"),
        (('sound = "Violin"', 'sound = "Violin"\nsolo = 1'), "'solo' is no setting"),
        (('sound = "Violin"', 'sound = "Violin"\nnotes = "fast"'), "notes is 'fast'; choose one"),
        (('sound = "Violin"', 'sound = "Violin"\nnotes = "long"'), "nobody plays the short"),
        (('sound = "Violin"', 'sound = "Violin"\nline = "upper"'), "notes of the lower line"),
        (('sound = "Violin"', 'sound = "Violin"\ndoubles = true'), "doubles the strings, whom"),
        (('sound = "Violin"', 'sound = "Violin"\nstrokes = {kick = 35}'), "strokes are of drums"),
        (('sound = "Violin"', 'sound = "Violin"\nrepeats = "tied"'), "repeats is 'tied'; choose"),
        ((VIOLIN, VIOLIN + VIOLIN.replace("Violin", "Viola") + 'repeats = "held"\n'),
         "Violin and Viola differ in repeats"),
        ((VIOLIN, VIOLIN * 2), "two players are named 'Violin'"),
        ((VIOLIN, VIOLIN * 17), "it has 17 players; 15 and one"),
        ((VIOLIN, ""), "it has no players"),
        ((VIOLIN, "players = 3"), "it has no players"),
        ((VIOLIN, "players = [3]"), "player 1: 3 is no table"),
        ((VIOLIN, VIOLIN + "[x]\ny = 1\n"), "'x' is no key of it; there are summary, players"),
        ((VIOLIN, 'summary = "a\\nb"\n' + VIOLIN), "summary is"),
        ((VIOLIN, "a = = b"), "is not TOML"),
        ((VIOLIN, VIOLIN + "#" * 70_000), "65536|KiB|bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, VIOLIN.replace(*change))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('sound = "Violin"', "'Violin' is no drum kit; name one of Standard"),
        ("sound = 1", "sound 1 is no drum kit"),
        ('sound = "Standard"\nrange = "C2-C4"', "drums have no range; leave it out"),
        ('sound = "Standard"\nstrokes = {bell = 3}', "strokes has 'bell'; there are kick"),
        ('sound = "Standard"\nstrokes = {kick = "x"}', "strokes.kick is 'x'; write 'off'"),
        ('sound = "Standard"\nstrokes = {kick = 200}', "strokes.kick is 200; write 'off'"),
        (
            'sound = "Standard"\nstrokes = {kick = "off", snare = "off", toms = "off", hats = '
            '"off", crash = "off", ride = "off", other = "off"}',
            "D strikes nothing",
        ),
    ],
)
def test_drums_that_cannot_be_are_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, f'[[players]]\nname = "D"\nplays = "drums"\n{line}\n')


def test_one_kit_has_the_channel_of_drums(tmp_path: Path) -> None:
    kit = '[[players]]\nname = "{}"\nplays = "drums"\nsound = "Jazz"\n'
    with pytest.raises(InputError, match="A and B both play the drums"):
        read(tmp_path, kit.format("A") + kit.format("B"))


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'orchestr' \(did you mean orchestra\?\); choose one of"):
        Options(palette="orchestr")
    with pytest.raises(UsageError, match="there is no palette 'xyzzy'; choose one of acoustic"):
        Palette.named("xyzzy")
    with pytest.raises(InputError, match="there is no file"):
        Palette.named("missing.toml")


@pytest.mark.parametrize("name", ["C4", "Cb4", "B#3", "f#2", "Bb-1", "G9", "C-1"])
def test_pitches_are_those_that_a_musician_reads(name: str) -> None:
    letter, sign, octave = re.fullmatch(r"(.)([#b]?)(-?\d)", name).groups()  # type: ignore[union-attr]
    step = "C D EF G A B".index(letter.upper()) + {"#": 1, "b": -1, "": 0}[sign]
    assert pitch_of(name) == 12 * (int(octave) + 1) + step


def test_palettes_follow_the_sections_with_one_kit_and_names_told_apart() -> None:
    parts = tuple(
        Section(start, end, palette=name)
        for start, end, name in ((0.0, 4.0, "jazz"), (4.0, 9.0, "band"), (9.0, 12.0, "jazz"))
    )
    cast = casting(Plan(12.0, 120.0, sections=parts))
    assert [start for start, _ in cast] == [0.0, 4.0, 9.0]
    drums = {player.track for _, players in cast for player in players if not player.instrument}
    assert len(drums) == 1 and cast[0][1] == cast[2][1]
    assert next(iter(drums))[2] == KITS["Jazz"], "that plays longest, the band has 5 s, jazz 7 s"
    tracks = {player.track for _, players in cast for player in players}
    assert len({track[0].lower() for track in tracks}) == len(tracks)
    same = dataclasses.replace(parts[1], palette="jazz")
    assert len(casting(Plan(12.0, 120.0, sections=(parts[0], same, parts[2])))) == 1


def test_the_kit_is_that_of_the_palette_whose_drums_play_longest() -> None:
    quiet = Section(0.0, 9.0, palette="jazz", instruments=("piano", "bass"))
    cast = casting(Plan(12.0, 120.0, sections=(quiet, Section(9.0, 12.0, palette="band"))))
    kits = {player.program for _, players in cast for player in players if not player.instrument}
    assert kits == {KITS["Standard"]}


def test_the_file_of_a_palette_can_be_printed_and_played_as_one_s_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["palettes", "orchestra"]) == 0
    mine = read(tmp_path, capsys.readouterr().out)
    assert mine.players == Palette.named("orchestra").players
    assert main(["palettes", str(tmp_path / "p.toml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [player["name"] for player in told["players"]] == [p.name for p in mine.players]
    assert main(["palettes", "orchestr"]) == 2


def test_more_players_than_channels_are_refused() -> None:
    three = zip((0.0, 4.0, 8.0), ("orchestra", "hybrid", "western"), strict=True)
    parts = tuple(Section(start, start + 4, palette=name) for start, name in three)
    with pytest.raises(UsageError, match=r"'orchestra', 'hybrid', 'western' have \d+ players"):
        casting(Plan(12.0, 120.0, sections=parts))


FILM = Analysis(
    24.0, "25", cuts=(Cut(8.0),), valence=0.5, arousal=0.5,
    arc=(State(0.0, 8.0, -0.4, -0.5), State(8.0, 24.0, 0.7, 0.6)),
)  # fmt: skip


def palettes_of(plan: Plan) -> list[str]:
    return [section.palette for section in plan.sections]


def test_a_film_has_one_palette_by_its_mean_feeling() -> None:
    calm, wild = State(0.0, 4.0, -0.5, -0.5), State(4.0, 20.0, 0.5, 0.9)
    assert palette_of([calm, wild]) == "band" and palette_of([calm]) == "chamber"
    assert palette_of([State(0.0, 1.0, math.nan, math.nan)]) == palette_of([]) == UNKNOWN
    horror, festival = State(0.0, 9.0, -0.64, 0.6), State(0.0, 9.0, 0.76, 0.48)
    assert palette_of([horror]) == "hybrid" != palette_of([festival]) == "band"
    assert {name for row in SUITING for name in row} <= set(names())
    assert set(palettes_of(plan_of(FILM))) == {"band"}


def test_an_emotion_that_is_wished_brings_its_palette_unless_a_person_chose_one() -> None:
    plan = plan_of(FILM)
    assert set(palettes_of(plan_of(FILM, Options(plan=plan, emotion="fear")))) == {"hybrid"}
    first = dataclasses.replace(plan.sections[0], palette="jazz")
    mixed = dataclasses.replace(plan, sections=(first, *plan.sections[1:]))
    found = plan_of(FILM, Options(plan=mixed, emotion="fear"))
    assert palettes_of(found) == ["jazz", "hybrid"]
    assert set(palettes_of(plan_of(FILM, Options(plan=mixed, palette="synth")))) == {"synth"}


def test_a_plan_without_palettes_is_played_by_the_one_that_suits() -> None:
    data = plan_of(FILM).to_json()
    for section in data["sections"]:
        del section["palette"]
    plan = Plan.from_json(data)
    assert casting(plan) == [(0.0, Palette.named("band").players)]
    assert set(palettes_of(plan_of(FILM, Options(plan=plan)))) == {"band"}


def test_what_a_palette_does_not_have_is_not_asked_for() -> None:
    plan = plan_of(FILM, Options(palette="piano"))
    assert [s.instruments for s in plan.sections] == [
        ("piano", "strings"), ("bass", "piano", "strings"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="section 1 asks for drums, which nobody in the palette"):
        plan_of(FILM, Options(palette="piano", instruments="drums,piano"))
    given = plan_of(FILM)
    with pytest.warns(EmsyncWarning, match="'piano' has no guitar, drums|'piano' has no drums"):
        plan_of(FILM, Options(plan=given, palette="piano"))
    edited = tuple(dataclasses.replace(s, palette="piano") for s in given.sections)
    with pytest.raises(UsageError, match="section 2 asks for drums, guitar, which nobody"):
        plan_of(FILM, Options(plan=dataclasses.replace(given, sections=edited)))


def test_palettes_are_refused_before_the_film_is_watched(tmp_path: Path, draw_cut: Any) -> None:
    film = open_film(draw_cut(tmp_path / "clip.mp4", 10, 10))
    with pytest.raises(
        UsageError, match="the instruments name drums, guitar, which nobody in the pal"
    ):
        check_files(film, Options(palette="piano", instruments="drums,guitar,piano"))
    with pytest.raises(InputError, match=r"there is no file 'gone\.toml'"):
        check_files(film, Options(palette="gone.toml"))
    plan = Plan(1.0, 120.0, sections=(Section(0.0, 1.0, palette="gone.toml"),))
    with pytest.raises(InputError, match=r"there is no file 'gone\.toml'"):
        check_files(film, Options(plan=plan))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_palette_that_can_be_read_only_once_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.toml")
    with pytest.raises(InputError, match="is not a file that can be read again; save it"):
        Palette.named(str(tmp_path / "p.toml"))


def test_a_plan_never_replaces_its_palette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "p.toml"
    mine.write_text(VIOLIN)
    with pytest.raises(UsageError, match=r"p\.toml' is the palette itself"):
        plan_targets(tmp_path / "clip.mp4", mine, None, Options(palette=mine))
    monkeypatch.chdir(tmp_path)
    Path("jazz").write_text("{}")  # an earlier plan
    assert plan_targets(Path("clip.mp4"), Path("jazz"), None, Options(palette="jazz"))


def test_a_palette_without_what_a_section_asks_gives_all_that_it_has(tmp_path: Path) -> None:
    read(tmp_path, VIOLIN.replace("strings", "guitar"))
    plan = plan_of(FILM, Options(palette=tmp_path / "p.toml"))
    assert [s.instruments for s in plan.sections] == [("guitar",), ("guitar",)]
    assert Options(palette=tmp_path / "p.toml").to_json()["palette"] == str(tmp_path / "p.toml")
    assert palettes_of(plan) == [str(tmp_path / "p.toml")] * 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("orchestr", r"sections\[0\].palette: there is no palette 'orchestr' \(did you mean"),
        ("a\nb.toml", r"sections\[0\].palette is .*no name of a palette or of a file"),
        (3, r"sections\[0\].palette is 3, not text"),
    ],
)
def test_a_palette_of_a_plan_that_is_none_is_named(value: object, words: str) -> None:
    data = plan_of(FILM).to_json()
    data["sections"][0]["palette"] = value
    with pytest.raises(InputError, match=words):
        Plan.from_json(data)


def test_a_missing_file_of_a_plan_is_named() -> None:
    plan = Plan(9.0, 120.0, sections=(Section(0.0, 9.0, palette="gone/mine.toml"),))
    with pytest.raises(InputError, match=r"there is no file 'gone/mine\.toml'"):
        casting(plan)


def test_the_plan_says_who_plays() -> None:
    plan = plan_of(FILM)
    assert "played by band" in plan.summary()
    first = dataclasses.replace(plan.sections[0], palette="jazz")
    mixed = dataclasses.replace(plan, sections=(first, *plan.sections[1:])).summary()
    assert "played by jazz, band" in mixed and mixed.count("; jazz") == mixed.count("; band") == 1


def test_the_command_line_lists_the_palettes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["palettes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    assert main(["palettes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == shipped()
