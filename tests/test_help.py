"""The help says all at any width, and a wrong word is answered with the right one."""

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
import typer

from emsync.cli import app, main
from emsync.options import Arc, EndingKind, KeepAudio, Mode, Sync

GROUP: Any = typer.main.get_command(app)
Say = Callable[..., tuple[int, str, str]]


def commands(
    group: Any = GROUP, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words and the command of each command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name), command


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line; return its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("columns", ["60", "80", "100", "120", None])
def test_help_cuts_nothing_at_any_width(
    columns: str | None, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    for words, command in commands():
        code, text, error = say(*words, "--help")
        joined = re.sub(r"\s+", "", text)
        assert code == 0 and not error and "\\[" not in text
        assert max(map(len, text.splitlines())) <= int(columns or 80)
        for parameter in command.params:
            assert all(name in text for name in parameter.opts if name.startswith("-"))
            assert re.sub(r"\s+", "", parameter.help or "") in joined, (words, parameter.name)
            if isinstance(shown := parameter.show_default, str):
                assert re.sub(r"\s+", "", f"default: ({shown})") in joined
    assert max(map(len, say("generate", "--help")[1].splitlines())) > int(columns or 80) - 12


def test_help_lists_every_command_whole_and_options_in_sections(say: Say) -> None:
    text = " ".join(say("--help")[1].split())
    for (name, *more), command in commands():
        assert more or f"{name} {' '.join(command.help.split())}" in text
    sections = re.findall(r"^(\S.*):$", say("generate", "--help")[1], re.M)
    assert sections == [
        "Arguments", "What is written", "The emotion", "The music", "How it is composed",
        "Advanced", "Options",
    ]  # fmt: skip
    assert "Usage: emsync prepare [OPTIONS] SOURCE...\n" in re.sub(
        "Usage: .*?prepare", "Usage: emsync prepare", say("prepare", "--help")[1]
    )


def test_help_shows_every_choice(say: Say) -> None:
    text = say("generate", "--help")[1] + say("match", "--help")[1]
    for kind in (Arc, EndingKind, KeepAudio, Mode, Sync):
        assert f"<{'|'.join(get_args(kind))}>" in text


def test_wherever_there_is_an_out_there_is_an_o() -> None:
    outs = {
        words: parameter.opts
        for words, command in commands()
        for parameter in command.params
        if "--out" in parameter.opts
    }
    assert len(outs) >= 6 and all("-o" in names for names in outs.values())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("generate x.mp4 --tempp 90", "there is no option --tempp; did you mean --tempo?"),
        ("generate x.mp4 --keepall", "did you mean --keep-all?"),
        ("generate x.mp4 --zzzz", "there is no option --zzzz (see"),
        ("generate x.mp4 --sync beet", "'beet' is not one of .*; did you mean beat?"),
        ("generate x.mp4 --ending Fade", "did you mean fade?"),
        ("match x.mp4 y --metric onsets", "metric is 'onsets'; choose one of .*cm, "),
        ("generate x.mp4 --emotion joi", "there are anger, disgust, fear, joy"),
        ("generat x.mp4", "Did you mean 'generate'"),
        ("evaluate suit x", "Did you mean 'suite'"),
        ("generate x.mp4 --out", "'--out' requires an argument"),
        ("generate x.mp4 y.mp4", "unexpected extra argument"),
        ("analyze", "Missing argument 'VIDEO'"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words: str, sentence: str, say: Say) -> None:
    code, out, error = say(*words.split())
    assert code == 2 and not out and error.startswith("emsync: ") and error.count("\n") == 1
    assert all(part in error for part in sentence.split(".*"))
    assert "Value error" not in error


@pytest.mark.parametrize("words", [(), ("evaluate",)])
def test_a_group_alone_shows_its_help(words: tuple[str, ...], say: Say) -> None:
    code, out, error = say(*words)
    assert code == 2 and not out and error.startswith("Usage: ") and "Commands:" in error
