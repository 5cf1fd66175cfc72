"""KL of tags: does a music tagger say of generated music what it says of the original.

Conventions
-----------
A tagger takes mono samples at a stated rate and gives the probability of each tag, from 0
to 1; of several rows, one for each excerpt, the mean counts. Divergences are in nats, of the
original from the generated music: KL(original || generated). They can only be compared under the
same tagger, so its file and hash belong beside the figure.

Variants
--------
kl_categorical    both rows scaled to sum to 1
kl_bernoulli      each tag is a coin of its own; the sum over the tags
kl_softmax        the odds p / (1 - p) scaled to sum to 1: the softmax of the logits of a tagger of
                  many labels, which audioldm_eval calls KL

The tagger's file
-----------------
.onnx             read by onnxruntime: a graph of operators, data and no program; prefer it
.pt, .ts, .jit    TorchScript: holds a program that runs. It is not a pickle and can only call
                  PyTorch's operators, but some of these write files: take it from whom you trust
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.errors import AssetError, UsageError

FLOOR = 1e-7  # the least probability: a tagger is never certain

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Tagger:
    """A model that gives the probability of each tag."""

    name: str  # of its file, and the beginning of its SHA-256
    rate: int  # samples a second it listens at
    predict: Callable[[Samples], Floats]  # (N,) mono samples to (T,) probabilities


def load(path: Path, rate: int) -> Tagger:
    """Return the tagger in the file at ``path``, which listens at ``rate`` samples a second.

    It must take (1, N) samples and return (T,), (1, T) or (W, T) probabilities.
    """
    if rate <= 0:
        raise UsageError(f"a tagger cannot listen at {rate} samples a second; 16000 is usual")
    kinds = {".onnx": _onnx, ".pt": _torchscript, ".ts": _torchscript, ".jit": _torchscript}
    if path.suffix.lower() not in kinds:
        raise UsageError(f"{str(path)!r} is no tagger; give one of {', '.join(kinds)}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise AssetError(f"cannot read the tagger {str(path)!r}: {error.strerror}") from error
    infer = kinds[path.suffix.lower()](path)

    def predict(samples: Samples) -> Floats:
        return validate(path.name, infer(np.ascontiguousarray(samples, np.float32)[None]))

    return Tagger(f"{path.name} {digest}", rate, predict)


def validate(name: str, output: ArrayLike) -> Floats:
    """Return a tagger's output as (T,) probabilities, the mean of its rows."""
    rows = np.atleast_2d(np.asarray(output, np.float64))
    if rows.ndim != 2 or not rows.size:
        raise AssetError(f"the tagger {name} gives the shape {np.shape(output)}, not (T,)")
    if not ((rows >= 0) & (rows <= 1)).all():
        raise AssetError(
            f"the tagger {name} gives {rows.min():g} to {rows.max():g}, which are no "
            "probabilities; put its sigmoid or softmax into the file"
        )
    return rows.mean(axis=0)


def kl_categorical(original: ArrayLike, generated: ArrayLike) -> float:
    """Return the divergence of two rows of probabilities, each scaled to sum to 1.

    >>> round(kl_categorical([0.5, 0.5], [0.25, 0.75]), 4)
    0.1438
    """
    p, q = _floored(original, generated)
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def kl_bernoulli(original: ArrayLike, generated: ArrayLike) -> float:
    """Return the sum over the tags of the divergences of two coins.

    >>> round(kl_bernoulli([0.5], [0.25]), 4)
    0.1438
    """
    p, q = _floored(original, generated)
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum())


def kl_softmax(original: ArrayLike, generated: ArrayLike) -> float:
    """Return the divergence of two rows of probabilities, of each its odds scaled to sum to 1.

    >>> round(kl_softmax([0.5, 0.5], [0.25, 0.5]), 4)
    0.1438
    """
    p, q = _floored(original, generated)
    p, q = softmax(p), softmax(q)
    return float((p * np.log(p / q)).sum())


def softmax(probabilities: ArrayLike) -> Floats:
    """Return (..., T) distributions of tags: the softmax of the logits of (..., T) probabilities.

    >>> softmax([0.5, 0.75]).tolist()
    [0.25, 0.75]
    """
    p = np.clip(np.asarray(probabilities, np.float64), FLOOR, 1 - FLOOR)
    odds = p / (1 - p)
    shares: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return shares


def evaluate(tagger: Tagger, original: Samples, generated: Samples) -> dict[str, float | str]:
    """Return both divergences of two mono sounds at the tagger's rate, and the tagger's name."""
    p, q = tagger.predict(original), tagger.predict(generated)
    return {
        "tagger": tagger.name,
        "kl_categorical": kl_categorical(p, q),
        "kl_bernoulli": kl_bernoulli(p, q),
    }


def _floored(original: ArrayLike, generated: ArrayLike) -> tuple[Floats, Floats]:
    p, q = (np.asarray(v, np.float64) for v in (original, generated))
    if p.shape != q.shape or p.ndim != 1:
        raise ValueError(f"tags of shapes {p.shape} and {q.shape} cannot be compared")
    return np.clip(p, FLOOR, 1 - FLOOR), np.clip(q, FLOOR, 1 - FLOOR)


def _torchscript(path: Path) -> Callable[[Samples], ArrayLike]:
    import torch

    try:
        with warnings.catch_warnings():  # TorchScript is deprecated, and what taggers come in
            warnings.simplefilter("ignore", DeprecationWarning)
            model = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise AssetError(
            f"{str(path)!r} is not TorchScript; save it with torch.jit.save, or as ONNX"
        ) from error

    def infer(samples: Samples) -> ArrayLike:
        try:
            with torch.inference_mode():
                return model(torch.from_numpy(samples)).numpy()
        except RuntimeError as error:
            raise _refused(path, samples, error) from error

    return infer


def _onnx(path: Path) -> Callable[[Samples], ArrayLike]:
    try:
        import onnxruntime
    except ImportError as error:
        raise AssetError(
            f"{str(path)!r} is read by onnxruntime, which is not installed: "
            "python -m pip install 'emsync[tags]'"
        ) from error
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        raise AssetError(f"{str(path)!r} is not a model in ONNX: {error}") from error
    (name, *others) = [node.name for node in session.get_inputs()]
    if others:
        raise AssetError(f"the tagger {path.name} has the inputs {name}, {', '.join(others)}; "
                         "it must take samples only")  # fmt: skip

    def infer(samples: Samples) -> ArrayLike:
        try:
            return session.run(None, {name: samples})[0]
        except Exception as error:
            raise _refused(path, samples, error) from error

    return infer


def _refused(path: Path, samples: Samples, error: Exception) -> AssetError:
    reason = str(error).strip().splitlines()[-1][:200]
    return AssetError(f"the tagger {path.name} does not take samples {samples.shape}: {reason}")
