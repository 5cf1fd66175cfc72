"""Emotions by words: how near each picture is to sentences about the six, in a CLIP's scorer.

Zero-shot classification as in Radford et al. 2021: the embeddings of several sentences stand for
each emotion, their mean is compared with each picture's. Calibrated as in Zhao et al. 2021: what a
model says of pictures without content is its prejudice, and is subtracted. Nothing is downloaded:
the weights are in a folder, or in the hub's cache.

Shapes: P pictures, E the six emotions, K channels of an embedding.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from emsync.arrays import Float32s, Float64s, Picture
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.emotion.plane import EMOTIONS, in_percent
from emsync.errors import AssetError
from emsync.video.footage import Footage, Needs

if TYPE_CHECKING:
    import torch

DEFAULT_MODEL = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"  # looked for in the hub's cache
BATCH = 16  # pictures embedded at once
STILLS = 2.0  # seconds between the pictures that it looks at
DIGITS = 4  # of the logits: the last bits of a sum depend on the number of threads

SENTENCES = (
    "a scene from a film, full of {noun}",
    "a {adjective} scene from a film",
    "a picture that feels {adjective}",
    "a photograph that expresses {noun}",
    "a film still with a mood of {noun}",
)
PROMPTS: Mapping[str, Sequence[tuple[str, str]]] = {  # nouns and adjectives
    "anger": (("anger", "angry"), ("rage", "furious"), ("conflict", "aggressive")),
    "disgust": (("disgust", "disgusting"), ("decay", "repulsive"), ("filth", "nasty")),
    "fear": (("fear", "frightening"), ("danger", "threatening"), ("dread", "scary")),
    "joy": (("joy", "joyful"), ("happiness", "happy"), ("delight", "cheerful")),
    "sadness": (("sadness", "sad"), ("grief", "mournful"), ("loneliness", "lonely")),
    "surprise": (
        ("surprise", "surprising"),
        ("astonishment", "astonishing"),
        ("wonder", "amazing"),
    ),
}


@dataclass(frozen=True)
class Clip(Estimator):
    """The six emotions by CLIP or SigLIP, from pictures alone."""

    name: ClassVar[str] = "clip"
    summary: ClassVar[str] = "emotion by CLIP or SigLIP with written sentences: clip:FOLDER"

    source: str = DEFAULT_MODEL  # a folder, or a name in the hub's cache

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the estimator of the weights in ``argument``; AssetError where there are none."""
        estimator = cls(argument) if argument else cls()
        load(estimator.source)
        return estimator

    @property
    def needs(self) -> Needs:
        return Needs(stills=STILLS)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        stills = footage.stills or footage.strip
        scorer = load(self.source)
        logits = scorer.logits([still.pixels for still in stills])  # (P, E)
        times = np.array([still.time for still in stills])
        said = []
        for start, end in spans:
            seen = (times >= start) & (times < end)
            if not seen.any():
                seen[np.abs(times - (start + end) / 2).argmin()] = True
            p = softmax(logits[seen].mean(axis=0))
            emotion = dict(zip(EMOTIONS, map(float, p), strict=True))
            said.append(Belief.of(emotion, in_percent(emotion)))
        return said


def softmax(logits: Float64s) -> Float64s:
    """Return probabilities that sum to 1."""
    p = np.exp(logits - logits.max())
    return p / p.sum()


class ClipScorer:
    """A CLIP or SigLIP, and what it holds of the six emotions and of pictures without content."""

    def __init__(self, model: Any, tokenizer: Any, shape: Mapping[str, Any]) -> None:
        self.model = model
        size = model.config.vision_config.image_size
        self.size, self.cropped = int(size), bool(shape.get("do_center_crop", False))
        self.spread = [np.array(shape.get(key, [0.5] * 3), np.float32)
                       for key in ("image_mean", "image_std")]  # fmt: skip
        self.prompts = self._prompts(tokenizer)  # (E, K)
        self.content_free_bias = self._logits(blanks(self.size)).mean(axis=0)  # (E,)

    def logits(self, pictures: Sequence[Picture]) -> Float64s:
        """Return the (P, E) logits of RGB pictures, 0 where they say no more than blank ones."""
        return np.asarray((self._logits(pictures) - self.content_free_bias).round(DIGITS))

    def _prompts(self, tokenizer: Any) -> "torch.Tensor":
        import torch

        length = self.model.config.text_config.max_position_embeddings
        rows = []
        for emotion in EMOTIONS:
            texts = [s.format(noun=noun, adjective=adjective)
                     for s in SENTENCES for noun, adjective in PROMPTS[emotion]]  # fmt: skip
            tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=length,
                               return_tensors="pt")  # fmt: skip
            with torch.inference_mode():
                rows.append(_unit(self.model.get_text_features(**tokens)).mean(dim=0))
        return _unit(torch.stack(rows))

    def _logits(self, pictures: Sequence[Picture]) -> Float64s:
        import torch

        rows = []
        with torch.inference_mode():
            for i in range(0, len(pictures), BATCH):
                pixels = np.stack([self._prepared(picture) for picture in pictures[i : i + BATCH]])
                seen = _unit(self.model.get_image_features(pixel_values=torch.from_numpy(pixels)))
                rows.append(self.model.logit_scale.exp() * seen @ self.prompts.T)
        return np.asarray(torch.cat(rows).double().numpy())

    def _prepared(self, picture: Picture) -> Float32s:
        """Return the (3, size, size) input: squeezed, or the middle, as the model learned."""
        import cv2

        if self.cropped:
            side = min(picture.shape[:2])
            top, left = ((n - side) // 2 for n in picture.shape[:2])
            picture = picture[top : top + side, left : left + side]
        how = cv2.INTER_AREA if min(picture.shape[:2]) > self.size else cv2.INTER_CUBIC
        scaled = cv2.resize(picture, (self.size, self.size), interpolation=how)
        mean, sd = self.spread
        prepared = (scaled.astype(np.float32) / 255 - mean) / sd
        return np.ascontiguousarray(prepared.transpose(2, 0, 1))


def blanks(size: int) -> list[Picture]:
    """Return pictures without content: black, two greys, white and noise."""
    plain = [np.full((size, size, 3), level, np.uint8) for level in (0, 85, 170, 255)]
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    return [*plain, noise]


def _unit(features: Any) -> "torch.Tensor":
    """Return embeddings of length 1; transformers 5 wraps them."""
    import torch

    rows = features if isinstance(features, torch.Tensor) else features.pooler_output
    return rows / rows.norm(dim=-1, keepdim=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars."""
    from transformers.utils import logging

    bars: Any = logging  # untyped
    drawn = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            bars.enable_progress_bar()


@lru_cache(maxsize=1)  # a film is watched between the check and the look
def load(source: str) -> ClipScorer:
    """Load the model in a folder, or in the hub's cache; AssetError says what is missing."""
    from safetensors import SafetensorError

    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.hub import cached_file
    except ImportError as error:
        raise AssetError(
            "the estimator clip needs transformers: python -m pip install 'emsync[clip]'"
        ) from error
    hint = "name a folder with clip:FOLDER, or fetch a model into the hub's cache first"
    try:
        here: dict[str, Any] = {"local_files_only": True}
        prepared = cached_file(source, "preprocessor_config.json", **here)
        with _quiet():
            model = AutoModel.from_pretrained(source, use_safetensors=True, **here)
            tokenizer = AutoTokenizer.from_pretrained(source, **here)
        shape = json.loads(Path(str(prepared)).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise AssetError(
            f"no CLIP can be loaded from {source!r}: config.json, model.safetensors, "
            f"tokenizer.json or preprocessor_config.json is missing or broken; {hint}"
        ) from error
    if not hasattr(model, "get_image_features") or not hasattr(model, "logit_scale"):
        raise AssetError(f"{source!r} holds a {type(model).__name__}, not a CLIP model; {hint}")
    return ClipScorer(model.eval(), tokenizer, shape)
