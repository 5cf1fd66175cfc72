"""Entry points are how all plug-ins are found; ``emsync.plugin`` is what they import."""

import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from packages import install

from emsync import plugin, plugins
from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Floats
from emsync.data.crops import Passage, window
from emsync.errors import AssetError
from emsync.matching.matcher import Matcher
from emsync.model.composer import Composer
from emsync.model.sampling import sample
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.options import Sampling
from emsync.testing import check_conditioner, example_piece, example_video
from emsync.tokens import Timeline, Tokenizer
from emsync_conditioners.boundaries import Boundaries
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "third_party" / "emsync-ending"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that packages can be installed into."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "emsync_ending", raising=False)
    return tmp_path


@pytest.fixture
def ending(site: Path) -> Conditioner:
    """The conditioner of the example package, found as a user's program would find it."""
    assert "ending" not in plugins.names(plugins.CONDITIONERS)
    install(EXAMPLE, site)
    assert "ending" in plugins.names(plugins.CONDITIONERS)
    return plugins.load(plugins.CONDITIONERS, "ending", Conditioner)()


def small(conditioner: Conditioner) -> EventTransformer:
    torch.manual_seed(0)
    config = ModelConfig(
        v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16, dropout=0.0
    )
    model = EventTransformer(config, (conditioner, Boundaries())).eval()
    with torch.no_grad():  # an untrained network would rarely wait
        model.head.bias[v.SHIFT : v.NOTE] += 4.0
    return model


def test_what_a_plug_in_imports_is_sorted_and_documented() -> None:
    assert len(plugin.__all__) == len(set(plugin.__all__))  # ruff keeps their order
    for name in plugin.__all__:
        value = getattr(plugin, name)
        assert f"``{name}``" in (plugin.__doc__ or ""), f"{name} is not in the docstring"
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{name} has no docstring"


def test_the_plug_ins_of_emsync_import_from_emsync_plugin_alone() -> None:
    paths = [
        path for part in ("conditioners", "tokenizers") for path in (ROOT / part).rglob("*.py")
    ]
    assert len(paths) > 10
    for path in paths:
        found = re.findall(r"^\s*(?:from|import) (emsync\b[\w.]*)", path.read_text(), re.M)
        assert set(found) <= {"emsync.plugin"}, path


def test_the_plug_ins_of_emsync_are_found_by_their_entry_points() -> None:
    known = {"boundaries", "chords", "chroma", "given", "instruments", "metre", "onset_density",
             "valence_arousal"}  # fmt: skip
    assert known <= set(plugins.names(plugins.CONDITIONERS))  # whoever installed others too
    assert {"events", "tsd"} <= set(plugins.names(plugins.TOKENIZERS))
    assert "pictures" in plugins.names(plugins.ESTIMATORS)


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        (plugins.CONDITIONERS, Conditioner),
        (plugins.TOKENIZERS, Tokenizer),
        (plugins.MATCHERS, Matcher),
    ],
)
def test_a_plug_in_bears_its_entry_point_s_name_and_says_what_it_does(
    group: str, kind: type[Conditioner] | type[Tokenizer] | type[Matcher]
) -> None:
    for name in plugins.names(group):
        plugin = plugins.load(group, name, kind)
        assert plugin.name == name
        assert 0 < len(plugin.summary) < 80


def test_a_third_party_conditioner_keeps_the_rules(ending: Conditioner) -> None:
    tokenizer = Events()
    timeline = tokenizer.timeline(tokenizer.encode(example_piece()))
    check_conditioner(ending, np.array([12.0], np.float32), timeline)


def test_a_third_party_conditioner_trains(ending: Conditioner) -> None:
    tokenizer = Events()
    model = small(ending)
    song = Passage.of(tokenizer.encode(example_piece()), tokenizer)
    example = window(song, model.conditioners, 64)
    features = {name: torch.from_numpy(rows)[None] for name, rows in example.features.items()}
    logits = model(torch.from_numpy(example.ids[:-1])[None], features)
    loss = torch.nn.functional.cross_entropy(logits[0], torch.from_numpy(example.ids[1:]))
    loss.backward()  # type: ignore[no-untyped-call]
    weights = list(model.conditions.encoders["ending"].parameters())
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights)


def test_a_third_party_conditioner_steers_the_sampler(ending: Conditioner) -> None:
    def drawn(end: float) -> list[int]:
        cuts = Boundaries().from_video(example_video())
        targets = {"ending": np.array([end], np.float32), "boundaries": cuts}
        (ids,) = sample(model, Events(), [targets], [1.0], [0], Sampling())
        return ids.tolist()

    model = small(ending)
    with torch.no_grad():
        for p in model.conditions.parameters():
            p.mul_(30)
    assert drawn(1.0) == drawn(1.0)
    assert drawn(1.0) != drawn(100.0)


def test_a_checkpoint_with_a_third_party_conditioner_loads_while_its_package_is_there(
    ending: Conditioner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Composer(small(ending), Events()).save_pretrained(tmp_path / "checkpoint")
    again = Composer.from_pretrained(tmp_path / "checkpoint")
    assert again.model.conditioners == (ending, Boundaries())
    assert again.targets(example_video())["ending"].tolist() == [20.0]
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
    lacks = "checkpoint '.*checkpoint' cannot be loaded: no plug-in 'ending'.*; install the package"
    with pytest.raises(AssetError, match=lacks):
        Composer.from_pretrained(tmp_path / "checkpoint")


def test_a_name_offered_by_two_packages_is_refused(site: Path) -> None:
    install(EXAMPLE, site)
    entry = (site / "emsync_ending-1.0.dist-info" / "entry_points.txt").read_text()
    install(EXAMPLE, site, name="another-ending")
    other = site / "another_ending-1.0.dist-info" / "entry_points.txt"
    other.write_text(entry.replace("emsync_ending:", "another_ending:"))
    with pytest.raises(AssetError, match=r"offered twice.*remove one"):
        plugins.load(plugins.CONDITIONERS, "ending", Conditioner)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        AssetError, match=r"no plug-in 'boundary'.*there is .*boundaries, chords, chroma"
    ):
        plugins.load(plugins.CONDITIONERS, "boundary", Conditioner)


def test_a_plug_in_that_cannot_be_loaded_is_refused(site: Path) -> None:
    install(EXAMPLE, site)
    entries = site / "emsync_ending-1.0.dist-info" / "entry_points.txt"
    for found, sentence in (
        ("emsync_ending:Gone", "has no attribute 'Gone'; install its package again"),
        ("emsync_gone:Ending", "No module named 'emsync_gone'"),
        ("emsync.plugin:Conditioner", "is of another emsync: .* has no .*from_music"),
    ):
        entries.write_text(f"[{plugins.CONDITIONERS}]\nending = {found}\n")
        with pytest.raises(AssetError, match=sentence):
            plugins.load(plugins.CONDITIONERS, "ending", Conditioner)


def test_a_plug_in_of_another_kind_is_refused() -> None:
    with pytest.raises(AssetError, match="is not a Tokenizer"):
        plugins.load(plugins.CONDITIONERS, "boundaries", Tokenizer)


def test_a_class_that_is_no_dataclass_fails_the_check(ending: Conditioner) -> None:
    class Bare(type(ending)):  # type: ignore[misc]
        pass

    with pytest.raises(AssertionError, match="Bare is not a dataclass"):
        check_conditioner(Bare(), np.array([1.0], np.float32), Events().timeline(np.arange(6)))


def test_a_conditioner_whose_targets_have_two_forms_fails_the_check(ending: Conditioner) -> None:
    @dataclass(frozen=True)
    class Twofold(type(ending)):  # type: ignore[misc]
        def from_video(self, video: Analysis) -> Floats:
            return super().from_video(video)[None]

    with pytest.raises(
        AssertionError, match=r"from_video has the shape \(1, 1\), from_music \(1,\)"
    ):
        check_conditioner(Twofold())

    @dataclass(frozen=True)
    class Silent(type(ending)):  # type: ignore[misc]
        def null_target(self, _target: Floats) -> Floats:
            return np.full((1, 2), np.nan, np.float32)

    with pytest.raises(AssertionError, match="null_target of from_music has the shape"):
        check_conditioner(Silent())


def test_a_conditioner_that_looks_ahead_fails_the_check(ending: Conditioner) -> None:
    @dataclass(frozen=True)
    class Peeking(type(ending)):  # type: ignore[misc]
        def features(self, target: Floats, timeline: Timeline) -> Floats:
            return super().features(target, timeline)[::-1].copy()

    timeline = Events().timeline(Events().encode(example_piece()))
    with pytest.raises(AssertionError, match="not causal"):
        check_conditioner(Peeking(), np.array([5.0], np.float32), timeline)


@pytest.mark.parametrize(
    ("theme", "later", "reason"),
    [
        (1.0, [1.0], "given_row of 'theme' is 1.0, not 1 finite numbers"),
        ([[1.0]], [1.0], r"given_row of 'theme' is \[\[1.0\]\], not 1 finite"),
        ("1", [1.0], "given_row of 'theme' is 1, not 1 finite"),
        (["1"], [1.0], r"given_row of 'theme' is \['1'\], not 1 finite"),
        ([1.0], [1.0, 2.0], "given_row of 'later' is .*, not 1 finite"),
        ([1.0], [np.nan], "given_row of 'later' is .*, not 1 finite"),
        ([1.0], None, "answers for .*'theme'.* only; answer for 'theme' and 'later', or for none"),
        (None, [1.0], "answers for .*'later'.* only"),
    ],
)
def test_a_conditioner_that_tells_no_row_of_given_music_fails_the_check(
    ending: Conditioner, theme: Any, later: Any, reason: str
) -> None:
    rows = {"theme": theme, "later": later}

    @dataclass(frozen=True)
    class Telling(type(ending)):  # type: ignore[misc]
        def given_row(self, kind: str) -> Any:
            return rows[kind]

    with pytest.raises(AssertionError, match=reason):
        check_conditioner(Telling())


# A condition with a wish of its own: no file of emsync knows it

STYLE = '''
"""A style that a person asks for: --ask style=calm."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.conditioning import Conditioner
from emsync.errors import UsageError

STYLES = {"calm": -1.0, "wild": 1.0}


@dataclass(frozen=True)
class Style(Conditioner):
    name: ClassVar[str] = "style"
    summary: ClassVar[str] = "how wild the music is"
    place: ClassVar[str] = "prefix"
    channels: ClassVar[int] = 1
    reads: ClassVar[frozenset[str]] = frozenset({"requested.style"})

    def from_music(self, piece):
        return np.array([piece.labels.get("style", np.nan)], np.float32)

    def from_video(self, video):
        style = video.requested.get("style")
        if style is None:
            return np.array([np.nan], np.float32)
        if style not in STYLES:
            raise UsageError(f"style is {style!r}; choose one of {', '.join(STYLES)}")
        return np.array([STYLES[style]], np.float32)

    def features(self, target, timeline):
        return target.reshape(1, 1).astype(np.float32)
'''
PROJECT = """
[project]
name = "emsync-style"
version = "1.0"

[project.entry-points."emsync.conditioners"]
style = "emsync_style:Style"
"""


@pytest.fixture
def style(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Conditioner:
    package = tmp_path_factory.mktemp("package")
    (package / "emsync_style.py").write_text(STYLE)
    (package / "pyproject.toml").write_text(PROJECT)
    sys.modules.pop("emsync_style", None)
    install(package, site)
    return plugins.load(plugins.CONDITIONERS, "style", Conditioner)()


def test_a_condition_with_a_wish_of_its_own_is_asked_from_the_command_line(
    style: Conditioner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from emsync.analysis import Analysis
    from emsync.cli import main
    from emsync.demo import draw_clip

    check_conditioner(style)
    Composer(small(style), Events()).save_pretrained(tmp_path / "checkpoint")
    composer = Composer.from_pretrained(tmp_path / "checkpoint")
    asked = Analysis(2.0, "25", requested={"style": "wild"})
    assert composer.targets(asked)["style"].tolist() == [1.0]
    clip, out = tmp_path / "clip.mp4", tmp_path / "score.mid"
    draw_clip(clip, 2.0)
    command = ["generate", str(clip), "--out", str(out), "--candidates", "1", "--checkpoint",
               str(tmp_path / "checkpoint")]  # fmt: skip
    for words, message in (
        ("style=loud", "style is 'loud'; choose one of calm, wild"),
        ("mood=calm", "no condition of this checkpoint reads 'mood'; it can be asked for style"),
        ("calm", "--ask 'calm' is no NAME=VALUE"),
    ):
        assert main([*command, "--ask", words]) == 2
        assert message in capsys.readouterr().err and not out.exists()
    assert main([*command, "--ask", "style=calm", "--json"]) == 0
    assert '"ask": {"style": "calm"}' in capsys.readouterr().out
    assert out.exists()


def test_what_a_person_asked_stands_in_the_analysis_and_its_file(tmp_path: Path) -> None:
    from emsync.analysis import Analysis
    from emsync.brief import apply_options
    from emsync.options import Options

    given = Analysis(2.0, "25", requested={"style": "calm", "band": "big"})
    asked = apply_options(given, Options(ask={"style": "wild"}))
    assert asked.requested == {"style": "wild", "band": "big"}
    asked.save(tmp_path / "a.json")
    assert Analysis.load(tmp_path / "a.json") == asked


def test_a_conditioner_that_hides_what_it_reads_fails_the_check(ending: Conditioner) -> None:
    @dataclass(frozen=True)
    class Sly(type(ending)):  # type: ignore[misc]
        reads = frozenset({"cuts"})

    with pytest.raises(AssertionError, match=r"looks at \['duration'\], which reads leaves out"):
        check_conditioner(Sly())

    @dataclass(frozen=True)
    class Vague(type(ending)):  # type: ignore[misc]
        reads = frozenset({"length"})

    with pytest.raises(AssertionError, match=r"\['length'\], which are no fields"):
        check_conditioner(Vague())
