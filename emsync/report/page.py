"""The report as a page for a browser: one HTML file that needs no other file and no network.

The template is page.html.jinja, its style page.css; the drawing is ``emsync.report.picture``'s, as
SVG whose colours follow the reader's light or dark setting.
"""

from importlib.resources import files
from pathlib import Path

from emsync.composition import Composition
from emsync.files import atomic_write
from emsync.report.picture import svg
from emsync.report.words import COLUMNS, remarks, rows, subtitle, tiles, title


def write_html(path: Path, composition: Composition) -> None:
    """Write ``html_page`` to the HTML file ``path``."""
    with atomic_write(path) as partial:
        # a name may have bytes that are no UTF-8
        partial.write_text(html_page(composition), encoding="utf-8", errors="replace")


def html_page(composition: Composition) -> str:
    """Return the report as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    texts = files("emsync.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    template = environment.from_string((texts / "page.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        title=title(composition),
        subtitle=subtitle(composition),
        style=Markup((texts / "page.css").read_text(encoding="utf-8")),
        tiles=tiles(composition),
        drawing=Markup(svg(composition)),
        columns=list(COLUMNS),
        rows=rows(composition),
        remarks=remarks(composition),
    )
