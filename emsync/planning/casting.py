"""Who plays a plan: the palette of each section becomes players over time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from emsync.errors import UsageError, warn
from emsync.limits import shown
from emsync.music.general_midi import MELODIC
from emsync.music.piece import CLASSES, DRUMS
from emsync.options import Options
from emsync.performance.palette import Palette
from emsync.performance.player import Casting, Player
from emsync.planning.feeling import palette_of
from emsync.planning.plan import Plan, Section


def palettes(plan: Plan) -> list[str]:
    """Return the palette of each section, by name: its own, or the one that suits the film."""
    if all(section.palette for section in plan.sections):
        return [section.palette for section in plan.sections]
    default = palette_of(plan.arc)
    return [section.palette or default for section in plan.sections]


def casting(plan: Plan) -> Casting:
    """Return the players of a plan from second to second. UsageError where they are too many.

    The drums have one channel, so the film has one kit: of the palette whose drums play longest.
    """
    names = palettes(plan)
    loaded = {name: Palette.named(name) for name in dict.fromkeys(names)}
    starts = [section.start for section in plan.sections]
    changes = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    casts = _told_apart(_with_kit(loaded, _longest(plan, names)))
    check_channels(list(casts.values()), list(loaded))
    return [(starts[i] if i else 0.0, casts[names[i]]) for i in changes]


def check_palettes(plan: Plan) -> None:
    """Refuse palettes that are none, that do not play what their section asks, or are too many."""
    casting(plan)
    for number, (section, name) in enumerate(zip(plan.sections, palettes(plan), strict=True), 1):
        check_plays(Palette.named(name), section.instruments, f"section {number} asks for")


def check_plays(palette: Palette, instruments: Iterable[str], who: str) -> None:
    """Refuse ``instruments`` that nobody in ``palette`` plays; ``who`` begins the sentence."""
    if missing := ", ".join(name for name in instruments if name not in palette.classes):
        raise UsageError(
            f"{who} {missing}, which nobody in the palette {shown(palette.name)} plays; leave "
            f"{missing} out of the instruments, or take another palette"
        )


def with_players(plan: Plan, options: Options = Options()) -> Plan:
    """Return ``plan`` with a palette in each section, which plays what the section asks.

    Where the plan is made, or the palette is wished for, instruments that the palette does not
    have are left out: nothing is composed for nobody. UsageError where they were asked for.
    """
    sections = [
        replace(section, palette=name)
        for section, name in zip(plan.sections, palettes(plan), strict=True)
    ]
    if options.instruments is None and (options.plan is None or options.palette is not None):
        sections = [_playable(section) for section in sections]
        lost = [
            name
            for before, after in zip(plan.sections, sections, strict=True)
            for name in before.instruments
            if name not in after.instruments
        ]
        if lost and options.plan is not None:
            told = ", ".join(dict.fromkeys(lost))
            warn(f"the palette {shown(sections[0].palette)} has no {told}: they are left out")
    plan = replace(plan, sections=tuple(sections))
    check_palettes(plan)
    return plan


def _playable(section: Section) -> Section:
    """Return a section without what its palette does not have; with all of it if none is left."""
    played = Palette.named(section.palette).classes
    names = tuple(name for name in section.instruments if name in played)
    return replace(section, instruments=names or played)


def _longest(plan: Plan, names: Sequence[str]) -> str:
    """Return the name of the palette whose drums play longest, the earlier of equals."""
    lasts = dict.fromkeys(names, 0.0)
    for name, section in zip(names, plan.sections, strict=True):
        lasts[name] += (section.end - section.start) * (CLASSES[DRUMS] in section.instruments)
    return max(lasts, key=lambda name: lasts[name])


def _with_kit(loaded: dict[str, Palette], longest: str) -> dict[str, tuple[Player, ...]]:
    """Return the players of each palette, all with the drums of one track."""
    order = [longest, *loaded]
    drums = [p for name in order for p in loaded[name].players if p.instrument == DRUMS][:1]
    return {
        name: tuple(
            replace(drums[0], strokes=p.strokes) if p.instrument == DRUMS else p
            for p in palette.players
        )
        for name, palette in loaded.items()
    }


def _told_apart(casts: dict[str, tuple[Player, ...]]) -> dict[str, tuple[Player, ...]]:
    """Return the players with a number after the name where two are other tracks of one name."""
    tracks: dict[tuple[str, int, int, int, int], str] = {}
    taken = set[str]()
    told: dict[str, tuple[Player, ...]] = {}
    for palette, players in casts.items():
        found = []
        for player in players:
            if player.track not in tracks:
                numbers = (f"{player.name} {n}" for n in range(2, 1000))
                free = (n for n in (player.name, *numbers) if n.lower() not in taken)
                tracks[player.track] = next(free)
                taken.add(tracks[player.track].lower())
            found.append(replace(player, name=tracks[player.track]))
        told[palette] = tuple(found)
    return told


def check_channels(casts: Sequence[Sequence[Player]], names: Sequence[str]) -> None:
    """Refuse more players than MIDI has channels, with one for each class that nobody plays."""
    players = [p for cast in casts for p in cast if p.instrument != DRUMS]
    unplayed = len(CLASSES) - 1 - len({p.instrument for p in players})  # see ``arranged``
    count = len({p.track for p in players}) + unplayed
    if count > len(MELODIC):
        told, several = ", ".join(map(shown, names)), len(names) > 1
        lacking = f", with {unplayed} for what nobody plays," if unplayed else ","
        raise UsageError(
            f"the {'palettes' if several else 'palette'} {told} {'have' if several else 'has'} "
            f"{count} players besides drums{lacking} but MIDI has {len(MELODIC)} channels for "
            f"them; take fewer {'palettes in one film' if several else 'players'}"
        )
