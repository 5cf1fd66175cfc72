"""What the documentation says can be typed: its commands, its links, its options."""

import importlib
import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from emsync.analysis import Analysis
from emsync.cli import app
from emsync.emotion.estimator import Together, choose, together
from emsync.options import Options
from emsync.planning.plan import Plan
from emsync.planning.planner import plan_of
from emsync.testing import example_footage, example_video
from emsync.video.footage import Curve

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
GROUP: Any = typer.main.get_command(app)


def commands(page: Path) -> Iterator[str]:
    """Yield the ``emsync`` command lines in the shell blocks of a page."""
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", page.read_text(), re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            for part in line.removeprefix("$ ").split("#")[0].split("&&"):
                if part.strip().startswith("emsync "):
                    yield part.strip()


TYPED = [(page, line) for page in PAGES for line in commands(page)]


def parsed(words: list[str]) -> None:
    """Parse a command line as far as can be without running it."""
    command, context = GROUP, GROUP.make_context("emsync", [], resilient_parsing=True)
    while hasattr(command, "resolve_command"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context, resilient_parsing=True)
    command.make_context(name, list(words), parent=context.parent)


def test_there_are_commands_to_check() -> None:
    assert len(TYPED) > 30


@pytest.mark.parametrize(
    "line", [line for _, line in TYPED], ids=[f"{page.name}: {line}" for page, line in TYPED]
)
def test_a_command_in_the_documentation_can_be_typed(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] == "COMMAND":  # stands for any
        return
    parsed(words)


def test_an_option_that_is_not_there_would_be_seen() -> None:
    with pytest.raises(Exception, match=r"(?i)no such option"):
        parsed(["generate", "clip.mp4", "--louder"])
    with pytest.raises(Exception, match="'bar' is not one of"):
        parsed(["generate", "clip.mp4", "--sync", "bar"])


def test_the_readme_lists_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    names = [name for name in GROUP.commands if name not in ("evaluate", "demo")]
    names += [f"evaluate {name}" for name in GROUP.commands["evaluate"].commands]
    for name in names:
        assert re.search(rf"^\| `{name}[ `]", text, re.M), name
    assert "emsync demo" in text


def test_the_plan_of_the_documentation_can_be_followed() -> None:
    (text,) = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "planning.md").read_text(), re.DOTALL
    )
    plan = Plan.from_json(json.loads(text))
    followed = plan_of(Analysis(20.0, "25", source="clip.mp4"), Options(plan=plan))
    assert [section.chords for section in followed.sections[:2]] == ["Am F C G", "D/2 E/2 A"]
    assert followed.sections[1].emotion == "joy" and followed.sections[2].chords


@pytest.mark.parametrize(
    ("name", "own"),
    [("plan", "video out plot as_json"), ("batch", "source out save workers cluster as_json")],
)
def test_every_wish_of_a_command_is_one_of_generate_with_its_words_and_its_default(
    name: str, own: str
) -> None:
    known = {p.name: p for p in GROUP.commands["generate"].params}
    for parameter in GROUP.commands[name].params:
        if parameter.name not in own.split():
            wish = known[parameter.name]
            assert (parameter.help, parameter.default) == (wish.help, wish.default)


def test_every_option_of_a_composition_can_be_typed_with_its_default() -> None:
    typed = {parameter.name: parameter.default for parameter in GROUP.commands["generate"].params}
    for field in fields(Options):
        empty = "" if field.name == "rules_off" else None  # a list is typed with commas
        default = getattr(Options(), field.name)
        assert typed[field.name] == (empty if default is None else default), field.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Write the modules of a recipe, run its tests, and return the module that has them."""
    written: list[str] = []

    def follow(recipe: str) -> Any:
        page = (ROOT / "docs" / "recipes" / f"{recipe}.md").read_text()
        modules = re.findall(r'```python title="(\w+)\.py"\n(.*?)```', page, re.DOTALL)
        for name, text in modules:
            (tmp_path / f"{name}.py").write_text(text)
            written.append(name)
        monkeypatch.syspath_prepend(tmp_path)
        laws = importlib.import_module(modules[-1][0])
        tests = [name for name in dir(laws) if name.startswith("test_")]
        for name in tests:
            getattr(laws, name)()
        assert len(modules) == 2 and len(tests) == 4
        return laws

    yield follow
    for name in written:
        sys.modules.pop(name, None)


def test_the_example_of_a_maker_can_be_followed(example: Callable[[str], Any]) -> None:
    assert example("maker").BELLS.kind == "sines"
    package = ROOT / "tests" / "third_party" / "emsync-sines" / "emsync_sines.py"
    assert package.read_text() in (ROOT / "docs" / "recipes" / "maker.md").read_text()


def test_the_example_of_a_condition_can_be_followed(example: Callable[[str], Any]) -> None:
    laws = example("condition")
    conditioner = laws.Register()
    dark, bright = (
        replace(example_video(), brightness=Curve(0.1, (light,) * 200)) for light in (0.1, 0.9)
    )
    low, high = (conditioner.from_video(video) for video in (dark, bright))
    assert (low == laws.LOW).all() and (high == laws.HIGH).all()


def test_the_example_of_an_estimator_can_be_followed_and_joins_the_others(
    example: Callable[[str], Any],
) -> None:
    closeness, pictures = example("estimator").Closeness(), choose("pictures")
    both = Together(((pictures, 1.0), (closeness, 0.5)))
    footage = example_footage(both.needs)
    film = Analysis.of(footage, both)
    assert film.estimator == "pictures,closeness=0.5"
    for shot in film.shots:
        light, close = shot.says["pictures"], shot.says["closeness"]
        felt = together({"a": [light], "b": [close]})[0]
        assert felt.valence == pytest.approx(light.valence, abs=1e-4)  # of which it has no say
        assert min(light.arousal, close.arousal) < felt.arousal < max(light.arousal, close.arousal)
        assert close.arousal_sd == pytest.approx(closeness.width * math.sqrt(2), abs=1e-4)


def test_the_example_of_a_matcher_can_be_followed(example: Callable[[str], Any]) -> None:
    laws = example("matcher")
    assert laws.Daylight().stamp == "daylight 1"
