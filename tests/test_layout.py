"""The layout keeps what would break in silence."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tokenizers

import emsync

ROOT = Path(__file__).parents[1]


def test_the_tokenizers_folder_is_no_package_and_hides_no_other() -> None:
    assert not (ROOT / "tokenizers" / "__init__.py").exists()
    assert hasattr(tokenizers, "Tokenizer"), "Hugging Face's tokenizers is hidden"


def test_the_changelog_tells_of_the_version() -> None:
    assert re.search(
        rf"^## \[{re.escape(emsync.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


def test_a_source_distribution_holds_all_of_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout, but a source distribution itself")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    always = {".gitignore", "LICENSE", "README.md", "pyproject.toml"}
    there = {f"/{name.split('/')[0]}" for name in listed.stdout.split()}
    assert there - {f"/{name}" for name in always} == set(included)


def test_pictures_and_sounds_of_the_documentation_are_small() -> None:
    found = [*(ROOT / "docs" / "images").iterdir(), *(ROOT / "docs" / "sounds").iterdir()]
    assert {path.suffix for path in found} == {".png", ".mp3"}
    assert all(path.stat().st_size < 300_000 for path in found)


def test_the_core_imports_no_plug_in() -> None:
    for path in (ROOT / "emsync").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) emsync_", path.read_text(), re.M), path


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_name(path): path for path in (ROOT / "emsync").rglob("*.py")}


@cache
def imported(module: str) -> frozenset[str]:
    """Return the modules of emsync that ``module`` imports anywhere, but not for types alone."""
    names: set[str] = set()
    for node in running(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            base = node.module or ""
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(names & set(MODULES)) - {"emsync"}  # its public names are lazy


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run, which those under TYPE_CHECKING do not."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    yield tree
    for node in ast.iter_child_nodes(tree):
        yield from running(node)


def within(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def reached(*rooms: str) -> dict[str, str]:
    """Return every module that those in ``rooms`` import, at any depth, and who imports it."""
    waiting = [module for module in MODULES if within(module, *rooms)]
    found = dict.fromkeys(waiting, "")
    while waiting:
        module = waiting.pop()
        for name in sorted(imported(module) - set(found)):
            found[name] = module
            waiting.append(name)
    return found


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [
        (
            "pipeline ranking fit performance model sound report video emotion music formats",
            "matching training evaluation data",
        ),
        ("metrics", "evaluation training model"),
        ("performance", "formats"),
        ("formats performance planning fit", "model ranking pipeline sound report"),
        ("music", "analysis options video emotion planning fit performance formats"),
    ],
)
def test_a_room_imports_nothing_above_it(rooms: str, forbidden: str) -> None:
    above = [f"emsync.{room}" for room in forbidden.split()]
    wrong = {
        name: by
        for name, by in reached(*(f"emsync.{room}" for room in rooms.split())).items()
        if within(name, *above)
    }
    assert not wrong, "imported by the module beside it"


@pytest.mark.parametrize(
    ("room", "users"),
    [("emsync.cli", ["emsync.cli", "emsync.__main__"]),
     ("emsync.studio", ["emsync.studio", "emsync.cli"])],
)  # fmt: skip
def test_nothing_but_the_command_line_imports(room: str, users: list[str]) -> None:
    assert room in MODULES
    for module in MODULES:
        if not within(module, *users):
            assert not any(within(name, room) for name in imported(module)), module


SERVER, WORKER = (
    [f"emsync.studio.{name}" for name in names.split()]
    for names in (
        "serve app guard studio projects document jobs lists takes mending room",
        "worker tasks exports strip proxy",
    )
)


def test_the_studio_s_server_imports_neither_its_worker_nor_torch() -> None:
    studio = {module for module in MODULES if within(module, "emsync.studio")}
    assert studio == {"emsync.studio", *SERVER, *WORKER}
    heavy = {"torch", "numba", "cv2", "av", *WORKER}
    act = f"import sys, {', '.join(SERVER)}; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", act], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr
