"""What makes music for a film: the interface that the composer of scores and those of sound share.

A checkpoint is of a kind, which its ``config.json`` names, and the maker of that kind opens it. All
makers are given the same commission, from the same pass over the film and the same plan, and yield
candidates, which are ranked, told of and written alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

from emsync import plugins
from emsync.checkpoints import CONFIG, checkpoint_names, find_checkpoint, kind_of, read_config
from emsync.errors import AssetError, UsageError
from emsync.limits import quoted, shown
from emsync.options import Options, PathLike
from emsync.progress import Progress

if TYPE_CHECKING:
    from emsync.commission import Commission
    from emsync.ranking import Judged
    from emsync.sound.blocks import Sound
    from emsync.sounding import SoundCandidate
    from emsync.video.film import Film
    from emsync.video.observers import Observer

Makes: TypeAlias = Literal["score", "sound"]

# What may be wished of some makers and not of others, by the names of the fields of ``Options``
WISHES = (
    "keep", "redo", "like", "tempo", "plan", "tonic", "mode", "chords", "instruments", "palette",
    "theme", "ask", "sync", "max_tempo_change", "humanize", "temperature", "top_p", "top_k",
    "guidance", "rules_off",
)  # fmt: skip


class Maker(ABC):
    """Makes music for a film. It is opened from a checkpoint of its kind."""

    kind: ClassVar[str]  # in ``config.json``, and the name of the entry point
    makes: ClassVar[Makes]
    summary: ClassVar[str]  # one line for ``emsync plugins``
    follows: Collection[str] = ()  # of WISHES, those that it minds; the others are refused

    @property
    def tempo(self) -> float | None:
        """Beats a minute of all its music; None: they differ."""
        return None

    @property
    def reads(self) -> frozenset[str]:
        """What it reads of the analysis; of its fields, "impact" is measured for these alone."""
        return frozenset()

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, device: str) -> Self:
        """Load the checkpoint in ``folder`` for "cpu", "cuda" or "auto".

        AssetError where something is missing, is damaged or does not fit; UsageError where the
        device cannot be used.
        """

    def check(self, options: Options) -> None:  # noqa: B027
        """Refuse, before the film is watched, what of its own wishes cannot be: UsageError."""

    def observers(self, film: "Film") -> Sequence["Observer"]:
        """Return new observers, which are shown every frame of ``film`` in the one pass over it."""
        return ()

    def make_ready(self, progress: Progress) -> None:  # noqa: B027
        """Do before the first note what only the first run on a machine has to, such as compiling.

        ``progress`` is told the stage, and the share of it that is done.
        """

    def settings(self, options: Options) -> Mapping[str, Any]:
        """Return how it draws, as plain values for JSON."""
        return {}

    @abstractmethod
    def make(self, asked: "Commission", progress: Callable[[float], None]) -> "Iterator[Judged]":
        """Yield a candidate for each of the seeds of ``asked``, in order, as soon as it is judged.

        ``progress`` is told the share of all that is done. A seed gives the same music beside
        others as alone.
        """


@dataclass(frozen=True, eq=False)
class Drawn:
    """A sound as a maker draws it, neither faded nor levelled; full scale is about 1."""

    sound: "Sound"  # at the maker's rate; it is cut, or silence follows, to the film's length
    parts: Mapping[str, float] = field(default_factory=dict)  # own judgements, from 0 to 1, by name


class SoundMaker(Maker):
    """Makes sound: its subclasses draw, and what is common to all sound is done here."""

    makes = "sound"
    rate: int  # samples a second of what it draws

    @abstractmethod
    def draw(self, asked: "Commission", progress: Callable[[float], None]) -> Iterator[Drawn]:
        """Yield a sound for each of the seeds of ``asked``, in order, as soon as it is there."""

    def make(
        self, asked: "Commission", progress: Callable[[float], None]
    ) -> "Iterator[SoundCandidate]":
        """Yield each sound as long as the film, faded and judged."""
        from emsync.sounding import candidate

        for drawn, seed in zip(self.draw(asked, progress), asked.seeds, strict=True):
            yield candidate(asked, drawn, seed)


def maker_of(checkpoint: PathLike) -> tuple[type[Maker], Path]:
    """Return the class that opens a checkpoint, and the folder of it; nothing is loaded yet.

    AssetError where there is none, or where no installed maker is of its kind.
    """
    folder = find_checkpoint(checkpoint)
    kind = _kind(folder)
    known = plugins.names(plugins.MAKERS)
    if kind not in known:
        raise AssetError(
            f"{quoted(folder / CONFIG)} is of the kind {shown(kind)}, which nothing installed "
            f"makes music with; there is {', '.join(known)}; install the package that offers it, "
            "or name another checkpoint"
        )
    return plugins.load(plugins.MAKERS, kind, Maker), folder


def check_wishes(maker: Maker, name: str, options: Options) -> None:
    """Refuse, before the film is watched, what ``maker`` of the checkpoint ``name`` cannot do."""
    plain = Options()
    for wish in WISHES:
        if wish not in maker.follows and getattr(options, wish) != getattr(plain, wish):
            raise UsageError(_refusal(maker, name or maker.kind, wish))
    maker.check(options)


def _refusal(maker: Maker, name: str, wish: str) -> str:
    """Return the sentence that says that a maker does not follow a wish, and which ones do."""
    if wish in ("keep", "redo"):
        return f"{name!r} makes {maker.makes}, and can keep no score; leave out --keep and --redo"
    flag = f"--{wish.replace('_', '-')}"
    kinds = (k for k in plugins.names(plugins.MAKERS) if k != maker.kind)
    able = [k for k in kinds if _follows(plugins.load(plugins.MAKERS, k, Maker), wish)]
    shipped = [n for n in checkpoint_names() if _kind(find_checkpoint(n)) in able]
    such = f", such as {shipped[0]}" if shipped else ""
    other = f", or name a checkpoint of the kind {' or '.join(able)}{such}" if able else ""
    return f"{name!r} does not follow {flag}; leave it out{other}"


def _kind(folder: Path) -> str:
    return kind_of(read_config(folder), folder)


def _follows(maker: type[Maker], wish: str) -> bool:
    """Return whether all checkpoints that ``maker`` opens follow a wish."""
    return isinstance(maker.follows, Collection) and wish in maker.follows
