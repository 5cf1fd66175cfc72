"""The layout keeps what would break in silence."""

import re
from pathlib import Path

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


def test_the_core_imports_no_plug_in() -> None:
    for path in (ROOT / "emsync").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) emsync_", path.read_text(), re.M), path
