"""KL of tags: hand-computed values, and tiny taggers in both kinds of files."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emsync.errors import AssetError, UsageError
from emsync.metrics import tags

chances = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(chances, chances)
def test_divergences_are_finite_and_nought_only_for_the_same(
    p: list[float], q: list[float]
) -> None:
    for divergence in (tags.kl_categorical, tags.kl_bernoulli):
        assert divergence(p, p) == pytest.approx(0.0, abs=1e-9)
        assert np.isfinite(divergence(p, q)) and divergence(p, q) >= -1e-9
    slow = sum(
        a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))
        for a, b in (np.clip(pair, 1e-7, 1 - 1e-7) for pair in zip(p, q, strict=True))
    )
    assert tags.kl_bernoulli(p, q) == pytest.approx(slow, abs=1e-9)


def test_divergences_by_hand() -> None:
    assert tags.kl_categorical([0.2, 0.6], [0.4, 0.4]) == pytest.approx(
        0.25 * np.log(0.5) + 0.75 * np.log(1.5)
    )
    assert tags.kl_bernoulli([0.5, 0.1], [0.25, 0.1]) == pytest.approx(
        0.5 * np.log(2) + 0.5 * np.log(0.5 / 0.75)
    )
    with pytest.raises(ValueError, match="cannot be compared"):
        tags.kl_bernoulli([0.5], [0.5, 0.5])


class Loudness(torch.nn.Module):
    """Two tags: loud, and quiet."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        loud = samples.abs().mean(dim=1, keepdim=True).clamp(0, 1)
        return torch.cat([loud, 1 - loud], dim=1)


@pytest.fixture(scope="module")
def torchscript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tagger") / "tiny.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is old, but it is what taggers come in
        traced = torch.jit.trace(Loudness(), torch.zeros(1, 8))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(path))
    return path


def test_a_torchscript_tagger_tells_loud_from_quiet(torchscript: Path) -> None:
    tagger = tags.load(torchscript, 16000)
    assert tagger.name.startswith("tiny.pt ")
    assert tagger.predict(np.full(100, 0.75, np.float32)) == pytest.approx([0.75, 0.25])
    loud, quiet = np.full(100, 0.75, np.float32), np.full(50, 0.25, np.float32)
    report = tags.evaluate(tagger, loud, quiet)
    assert report["kl_categorical"] == pytest.approx(0.5 * np.log(3))
    assert report["kl_bernoulli"] == pytest.approx(np.log(3))
    assert tags.evaluate(tagger, loud, loud)["kl_bernoulli"] == pytest.approx(0)


def test_an_onnx_tagger_tells_loud_from_quiet(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper
    nodes = [
        make.make_node("Abs", ["samples"], ["size"]),
        make.make_node("ReduceMean", ["size"], ["loud"], axes=[1], keepdims=1),
    ]
    ports = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("samples", [1, "n"]), ("loud", [1, 1]))
    ]
    graph = make.make_graph(nodes, "tiny", ports[:1], ports[1:])
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    tagger = tags.load(path, 16000)
    assert tagger.predict(np.full(100, 0.75, np.float32)) == pytest.approx([0.75])
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(AssetError, match="not a model in ONNX"):
        tags.load(broken, 16000)


def test_without_onnxruntime_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AssetError, match=r"pip install 'emsync\[tags\]'"):
        tags.load(path, 16000)


def test_what_is_no_tagger_is_refused(tmp_path: Path, torchscript: Path) -> None:
    with pytest.raises(UsageError, match=r"is no tagger; give one of \.onnx"):
        tags.load(tmp_path / "x.pkl", 16000)
    with pytest.raises(UsageError, match="cannot listen at 0"):
        tags.load(torchscript, 0)
    with pytest.raises(AssetError, match="cannot read the tagger"):
        tags.load(tmp_path / "missing.pt", 16000)
    pickled = tmp_path / "pickled.pt"
    torch.save({"a": torch.zeros(2)}, pickled)
    with pytest.raises(AssetError, match="is not TorchScript"):
        tags.load(pickled, 16000)


def test_an_answer_that_is_no_probability_is_refused() -> None:
    with pytest.raises(AssetError, match="gives -1 to 2, which are no probabilities"):
        tags.validate("x", [-1.0, 2.0])
    with pytest.raises(AssetError, match="no probabilities"):
        tags.validate("x", [np.nan])
    with pytest.raises(AssetError, match="the shape"):
        tags.validate("x", np.zeros((0, 3)))
    assert tags.validate("x", [[0.0, 1.0], [1.0, 1.0]]).tolist() == [0.5, 1.0]
