"""Checkpoints on the Hugging Face Hub, by its own mix-in; for names with "hub:" only.

``Composer.from_pretrained("hub:user/name")`` fetches one; ``Composer.push_to_hub("user/name")``
publishes one. Nothing else in emsync opens a connection.
"""

from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from emsync.errors import AssetError
from emsync.limits import one_line, shown
from emsync.model.composer import Composer

FILES = ("config.json", "model.safetensors", "README.md")


class HubComposer(
    ModelHubMixin, library_name="emsync", tags=["music-generation", "video"], license="apache-2.0"
):
    """A composer with the methods of the Hub's mix-in."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer

    def _save_pretrained(self, save_directory: Path) -> None:
        self.composer.save_pretrained(save_directory)

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, revision: str | None = None, **settings: Any
    ) -> Self:
        return cls(Composer.from_pretrained(fetch(model_id, revision)))


def fetch(repository: str, revision: str | None = None) -> Path:
    """Return the folder in the Hub's cache with a repository's checkpoint, fetched if needed.

    Raises AssetError where that fails.
    """
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = one_line(next(iter(str(error).strip().splitlines()), type(error).__name__))
        raise AssetError(f"cannot fetch the checkpoint {shown(repository)}: {reason}") from error
