"""A checkpoint from a stranger: what its files say is checked before memory is asked for."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from emsync.checkpoints import digest_of
from emsync.errors import AssetError
from emsync.model.composer import Composer

Change = Callable[[dict[str, Any]], object]


def copy(small: Path, out: Path) -> Path:
    out.mkdir(exist_ok=True)
    for path in small.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["model"].update(width=10**9), "width is 1000000000, not .* from 2 to 8192"),
        (lambda c: c["model"].update(depth=10**9), "depth is 1000000000, not .* from 1 to 256"),
        (lambda c: c["model"].update(depth=0), "depth is 0"),
        (lambda c: c["model"].update(heads=0), "heads is 0, not"),
        (lambda c: c["model"].update(heads=3), "width 32 is not a multiple of heads 3"),
        (lambda c: c["model"].update(heads="2"), "heads is '2'"),
        (lambda c: c["model"].update(width=64, position_channels=32), "fit config.json"),
        (lambda c: c["model"].update(depth=3), "there is no 'blocks.1"),
        (lambda c: c["model"].update(context=65_536), "fit config.json"),
        (lambda c: c["model"].update(dropout=-1), "dropout is -1"),
        (lambda c: c["model"].update(qk_norm=1.0), "qk_norm is 1.0, not true or false"),
        (lambda c: c["model"].update(added="boundaries"), "added is 'boundaries', not a list"),
        (lambda c: c["model"].update(added=[3]), "an entry of added is 3, not text"),
        (lambda c: c["model"].update(added=["mood"]), "'mood', which is no condition of the netw"),
        (lambda c: c["model"].update(added=["valence_arousal"]), "which stands before the tokens"),
        (lambda c: c["model"].update(added=["boundaries"]), r"fit config.json: 'conditions\."),
        (lambda c: c["model"].pop("vocab_size"), "'vocab_size' is missing"),
        (lambda c: c.update(model=[]), "no table of settings"),
        (lambda c: c.pop("model"), "it has no 'model'"),
        (lambda c: c.update(tempo=0), "a tempo of 0 is outside"),
        (lambda c: c.update(tempo="fast"), "tempo is 'fast'"),
        (lambda c: c.update(sampling={"heat": 1}), "'heat' is no setting"),
        (lambda c: c.update(sampling={"top_p": "x"}), "top_p is 'x'"),
        (lambda c: c.update(sampling={"tokens_per_second": 10**9}), "tokens_per_second"),
        (lambda c: c.update(sampling={"unguided": ["mood"]}), "no condition 'mood'; the model has"),
        (lambda c: c.update(sampling=3), "no table of settings"),
        (lambda c: c.update(tokenizer="events"), "no table of settings"),
        (lambda c: c["tokenizer"].update(name=3), "name is 3"),
        (lambda c: c["tokenizer"]["settings"].update(bar_steps=-1), "bar_steps is -1"),
        (lambda c: c["tokenizer"]["settings"].update(x=1), "'x' is no setting"),
        (lambda c: c.update(conditioners=3), "not valid"),
        (lambda c: c["conditioners"].append(c["conditioners"][0]), "is named twice"),
        (lambda c: c["conditioners"][1]["settings"].update(horizon=0), "horizon is 0"),
        (lambda c: c["conditioners"][2]["settings"].update(window=[1]), "window is"),
    ],
)
def test_a_config_that_cannot_be_is_refused_by_its_key(
    change: Change, reason: str, small: Path, tmp_path: Path
) -> None:
    out = copy(small, tmp_path / "c")
    config = json.loads((out / "config.json").read_text())
    change(config)
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(AssetError, match=reason):
        Composer.from_pretrained(out)


@pytest.mark.parametrize("text", ['{"model": NaN}', '{"a":' * 999, "", "[]", "\0", '{"a": 1e999}'])
def test_a_config_that_is_no_sound_json_is_refused(text: str, small: Path, tmp_path: Path) -> None:
    out = copy(small, tmp_path / "c")
    (out / "config.json").write_text(text)
    with pytest.raises(AssetError):
        Composer.from_pretrained(out)


def test_weights_whose_header_lies_are_refused(small: Path, tmp_path: Path) -> None:
    out = copy(small, tmp_path / "c")
    path = out / "model.safetensors"
    good = path.read_bytes()
    tensors = load_file(path)
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])

    def with_header(change: Change) -> bytes:
        other = json.loads(json.dumps(header))
        change(other)
        text = json.dumps(other).encode()
        return struct.pack("<Q", len(text)) + text + good[8 + length :]

    save_file({**tensors, "more": tensors["head.bias"].clone()}, tmp_path / "more")
    save_file({k: v for k, v in tensors.items() if k != "head.bias"}, tmp_path / "less")
    tensors["head.bias"][3] = np.nan
    save_file(tensors, tmp_path / "nan")
    for data, reason in (
        (good[:-1], "cut off"),
        (b"\xff" * 8 + good[8:], "cut off"),
        (b"", "cut off"),
        (struct.pack("<Q", 200) + b"[" * 200 + good, "deep"),
        (with_header(lambda h: h["head.bias"].update(shape=[10**30])), "fill its place"),
        (with_header(lambda h: h["head.bias"].update(shape=[-1])), "shape"),
        (with_header(lambda h: h["head.bias"].update(dtype="I64")), "fill its place"),
        (with_header(lambda h: h.update({"head.bias": 3})), "None"),
        ((tmp_path / "more").read_bytes(), "'more' is not in it"),
        ((tmp_path / "less").read_bytes(), "there is no 'head.bias'"),
        ((tmp_path / "nan").read_bytes(), "'head.bias' is not finite"),
    ):
        path.write_bytes(data)
        with pytest.raises(AssetError, match=reason):
            Composer.from_pretrained(out)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_or_a_device_is_no_checkpoint(name: str, small: Path, tmp_path: Path) -> None:
    out = copy(small, tmp_path / "c")
    (out / name).unlink()
    os.mkfifo(out / name)
    with pytest.raises(AssetError):
        Composer.from_pretrained(out)
    (out / name).unlink()
    (out / name).symlink_to("/dev/zero")
    with pytest.raises(AssetError):
        Composer.from_pretrained(out)


def test_a_checkpoint_that_has_gone_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"cannot read .*json': No such file"):
        digest_of(tmp_path / "gone")
