"""What the command line says of itself: its help, and how a wrong word is answered.

Help is plain text in sections, as wide as the terminal (or COLUMNS) up to WIDEST. Nothing in it is
cut, and no word in brackets is taken for markup.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandFunctionType

from emsync.limits import one_line

WIDEST = 120  # columns: longer lines are hard to read
NAMES = 36  # columns that the names of options take at most, with their choices
GENERAL = "Options"  # the section of what is in no other


class Command(TyperCommand):
    """A command whose help has its options in sections, by their ``rich_help_panel``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _pieces(super().collect_usage_pieces(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], GENERAL: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                section = "Arguments" if parameter.param_type_name == "argument" else None
                section = section or getattr(parameter, "rich_help_panel", None) or GENERAL
                name, text = record
                text = text.replace("\\[", "[")  # some versions of typer escape for rich
                sections.setdefault(section, []).append((name, text))
        sections[GENERAL] = sections.pop(GENERAL)  # the last one
        for name, rows in sections.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows, col_max=NAMES)


class Group(TyperGroup):
    """A group of commands, each listed with all of its first line."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _pieces(super().collect_usage_pieces(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        listed = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, (one.help or "").partition("\n\n")[0]) for name, one in listed if one]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class App(typer.Typer):
    """A command line of such commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            cls=Group,
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
            context_settings={"max_content_width": WIDEST},
            **settings,
        )

    def command(
        self, name: str | None = None, **settings: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Add a command, as ``typer.Typer.command`` does."""
        return super().command(name, **{"cls": Command, **settings})


def answer(error: Any) -> str:
    """Return what is wrong with a command line in a sentence, and what may have been meant.

    ``error`` is a usage error of click's. Where nothing was typed, the answer is the help.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.ctx.get_help())
    if hasattr(error, "possibilities") and (option := getattr(error, "option_name", None)):
        names = [name for p in error.ctx.command.get_params(error.ctx) for name in p.opts]
        return f"emsync: there is no option {one_line(option)}{_meant(option, names)} (see --help)"
    message = one_line(str(error.format_message()).replace("Value error, ", ""), 400)
    if choice := re.search(r"'([^']*)' is not one of ((?:'[^']*'(?:, )?)+)", message):
        meant = _meant(choice[1], re.findall(r"'([^']*)'", choice[2]))
        message = message.rstrip(".") + meant
    return f"emsync: {message} (see --help)"


def _meant(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that is the most like ``word``, if one is.

    >>> _meant("--tempp", ["--tempo", "--top-p"]), _meant("Fade", ["fade"]), _meant("x", ["y"])
    ('; did you mean --tempo?', '; did you mean fade?', '')
    """
    near = get_close_matches(word.lower(), known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _pieces(pieces: Iterable[str]) -> list[str]:
    """Return the pieces of a usage line: an argument by its name, without more signs than it has.

    >>> _pieces(["[OPTIONS]", "{SOURCE...}...", "{VIDEO}"])
    ['[OPTIONS]', 'SOURCE...', 'VIDEO']
    """
    return [re.sub(r"(?:\.\.\.)+$", "...", re.sub("[{}]", "", piece)) for piece in pieces]
