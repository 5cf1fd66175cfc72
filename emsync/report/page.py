"""The report as a page for a browser: one HTML file that needs no network.

The template is page.html.jinja, its style page.css, its script page.js; the drawing is
``emsync.report.picture``'s, as SVG whose colours follow the reader's light or dark setting. Beside
a film or its sound the page plays it, and a playhead moves over the time line.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from emsync.composition import Composition
from emsync.files import atomic_write
from emsync.report.origin import origin
from emsync.report.picture import svg, time_line
from emsync.report.why import stretches
from emsync.report.words import (
    COLUMNS,
    NO_PREVIEW,
    PLAYER_COLUMNS,
    SECTION_COLUMNS,
    cut_rows,
    loudness_lines,
    player_rows,
    remarks,
    section_rows,
    subtitle,
    tiles,
    title,
)
from emsync.sound.loudness import Loudness

FEW = 6  # sections whose reasons are shown at once; of more a click opens each


def write_html(
    path: Path,
    composition: Composition,
    preview: str = "",
    sound: str = "",
    loudness: Mapping[str, Loudness] = MappingProxyType({}),
    files: Sequence[str] = (),
) -> None:
    """Write ``html_page`` to the HTML file ``path``."""
    with atomic_write(path) as partial:
        # a name may have bytes that are no UTF-8
        page = html_page(composition, preview, sound, loudness, files)
        partial.write_text(page, encoding="utf-8", errors="replace")


def html_page(
    composition: Composition,
    preview: str = "",
    sound: str = "",
    loudness: Mapping[str, Loudness] = MappingProxyType({}),
    files: Sequence[str] = (),
) -> str:
    """Return the report as HTML.

    It plays ``preview``, the name of a film beside it, or else ``sound``; without both it is still.
    ``loudness`` is that of the sound, by the kind of file. ``files`` lie beside the page, which
    links to them.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    texts = resources.files("emsync.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    template = environment.from_string((texts / "page.html.jinja").read_text(encoding="utf-8"))
    script = (texts / "page.js").read_text(encoding="utf-8")
    return template.render(
        title=title(composition),
        subtitle=subtitle(composition),
        policy=policy(script),
        style=Markup((texts / "page.css").read_text(encoding="utf-8")),
        media=bool(preview or sound),
        preview=preview,
        sound=sound,
        tiles=tiles(composition, loudness),
        drawing=Markup(svg(composition)),
        line=time_line(composition),
        section_columns=list(SECTION_COLUMNS),
        sections=list(zip(composition.plan.sections, section_rows(composition.plan), strict=True)),
        origin=origin(composition),
        stretches=stretches(composition),
        few=FEW,
        player_columns=list(PLAYER_COLUMNS),
        players=player_rows(composition.performance()),
        files=grouped(files),
        columns=list(COLUMNS),
        rows=cut_rows(composition),
        remarks=[
            *remarks(composition),
            *(f"Loudness of {line}." for line in loudness_lines(loudness)[1:]),  # the first: a tile
            *([NO_PREVIEW] if sound and not preview else []),
        ],
        script=Markup(script),
    )


def grouped(files: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the addresses of files and what a page calls them, by their folder.

    >>> grouped(["score.mid", "stems/01-drums.wav"])
    {'files': [('score.mid', 'score.mid')], 'stems': [('stems/01-drums.wav', '01-drums')]}
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for path in map(PurePosixPath, files):
        folder = path.parent.name
        called = path.stem if folder else path.name
        groups.setdefault(folder or "files", []).append((str(path), called))
    return groups


def policy(script: str) -> str:
    """Return what a browser may run and load for the page: its own script, pictures, and film."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
