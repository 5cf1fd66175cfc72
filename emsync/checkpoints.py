"""Where checkpoints lie, and what their ``config.json`` says; no network is loaded here."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emsync.errors import AssetError
from emsync.limits import check_file, quoted, read_json, shown
from emsync.options import PathLike
from emsync.shipped import checkpoints_folder

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MOST_CONFIG = 2**20  # bytes of a config.json
DIGITS = 12  # of a digest
EVENTS, RETRIEVAL = "events", "retrieval"  # kinds of checkpoints that name none


def checkpoint_names() -> list[str]:
    """Return the names of the shipped checkpoints."""
    return sorted(path.parent.name for path in checkpoints_folder().glob(f"*/{CONFIG}"))


def find_checkpoint(name: PathLike) -> Path:
    """Return the folder of a shipped checkpoint, the folder named itself, or of "hub:user/name"."""
    if str(name).startswith("hub:"):
        from emsync.model.hub import fetch  # nothing else opens a connection

        return fetch(str(name).removeprefix("hub:"))
    for folder in (checkpoints_folder() / name, Path(name)):
        if (folder / CONFIG).is_file():
            return folder
    raise AssetError(
        f"no checkpoint {str(name)!r}: it is neither a folder with a config.json nor one of "
        f"{', '.join(checkpoint_names()) or 'none'}"
    )


def files_of_checkpoint(name: str) -> list[Path]:
    """Return the files that a checkpoint would be read from; none of one on the Hub."""
    if not name or name.startswith("hub:"):
        return []
    folders = (checkpoints_folder() / name, Path(name))
    return [folder / file for folder in folders for file in (CONFIG, WEIGHTS)]


def read_config(folder: Path) -> dict[str, Any]:
    """Return the settings of the checkpoint in ``folder``."""
    return read_json(folder / CONFIG, MOST_CONFIG, AssetError)


def digest_of(folder: Path, *, whole: bool = False) -> str:
    """Return what tells the checkpoint in ``folder`` from all others: of its settings and weights.

    With ``whole`` all files of the folder count, and their names, as a checkpoint of any kind may
    have others. AssetError where one cannot be read.
    """
    named = (folder / CONFIG, folder / WEIGHTS)
    digest = hashlib.sha256()
    for path in sorted(filter(Path.is_file, folder.iterdir())) if whole else named:
        check_file(path, AssetError)
        if whole:
            digest.update(b"%s\0%d\0" % (os.fsencode(path.name), path.stat().st_size))
        try:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        except OSError as error:
            raise AssetError(f"cannot read {quoted(path)}: {error.strerror}") from error
    return digest.hexdigest()[:DIGITS]


def kind_of(config: dict[str, Any], folder: Path) -> str:
    """Return what kind of checkpoint ``config``, which lies in ``folder``, is of."""
    kind = config.get("kind", RETRIEVAL if "system" in config else EVENTS)
    if not isinstance(kind, str) or not kind:
        raise AssetError(f"{quoted(folder / CONFIG)}: kind is {shown(kind)}, not a name")
    return kind


def config_of(folder: Path, kind: str, version: int, wanted: str) -> dict[str, Any]:
    """Return the settings of the checkpoint of a kind in ``folder``.

    AssetError where it is of another kind, which says to name what is ``wanted``, or version.
    """
    config = read_config(folder)
    if (found := kind_of(config, folder)) != kind:
        raise AssetError(
            f"{quoted(folder / CONFIG)} is of the kind {shown(found)}, not {kind!r}; name {wanted}"
        )
    check_version(config, folder, version)
    return config


def check_version(config: Mapping[str, Any], folder: Path, version: int) -> None:
    """Refuse the settings in ``folder`` if they are not of a version."""
    if config.get("version") != version:
        raise AssetError(
            f"{quoted(folder / CONFIG)}: its version is {shown(config.get('version'))}, and only "
            f"{version} can be read; install the emsync that it was made with"
        )


def check_stamps(stamps: Mapping[str, Any], now: Mapping[str, str], folder: Path) -> None:
    """Refuse the checkpoint in ``folder`` if it was trained on columns of other versions."""
    for name, stamp in now.items():
        if stamps.get(name) != stamp:
            raise AssetError(
                f"{quoted(folder / CONFIG)}: it was trained on {name} of the version "
                f"{shown(stamps.get(name))}, and now there is {stamp!r}; train it anew"
            )
