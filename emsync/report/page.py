"""The report as a page for a browser: one HTML file that needs no network.

The template is page.html.jinja, its style page.css, its script page.js; the drawing is
``emsync.report.picture``'s, as SVG whose colours follow the reader's light or dark setting. Beside
a film or its sound the page plays it, and a playhead moves over the time line.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from emsync.composition import Composition
from emsync.files import atomic_write
from emsync.report.picture import svg, time_line
from emsync.report.words import (
    COLUMNS,
    NO_PREVIEW,
    SECTION_COLUMNS,
    cut_rows,
    loudness_lines,
    remarks,
    section_rows,
    subtitle,
    tiles,
    title,
)
from emsync.sound.loudness import Loudness


def write_html(
    path: Path,
    composition: Composition,
    preview: str = "",
    sound: str = "",
    loudness: Mapping[str, Loudness] = MappingProxyType({}),
) -> None:
    """Write ``html_page`` to the HTML file ``path``."""
    with atomic_write(path) as partial:
        # a name may have bytes that are no UTF-8
        page = html_page(composition, preview, sound, loudness)
        partial.write_text(page, encoding="utf-8", errors="replace")


def html_page(
    composition: Composition,
    preview: str = "",
    sound: str = "",
    loudness: Mapping[str, Loudness] = MappingProxyType({}),
) -> str:
    """Return the report as HTML.

    It plays ``preview``, the name of a film beside it, or else ``sound``; without both it is still.
    ``loudness`` is that of the sound, by the kind of file.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    texts = files("emsync.report")
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
        tiles=tiles(composition),
        drawing=Markup(svg(composition)),
        line=time_line(composition),
        section_columns=list(SECTION_COLUMNS),
        sections=list(zip(composition.plan.sections, section_rows(composition.plan), strict=True)),
        columns=list(COLUMNS),
        rows=cut_rows(composition),
        remarks=[
            *remarks(composition),
            *(f"Loudness of {line}." for line in loudness_lines(loudness)),
            *([NO_PREVIEW] if sound and not preview else []),
        ],
        script=Markup(script),
    )


def policy(script: str) -> str:
    """Return what a browser may run and load for the page: its own script, pictures, and film."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
