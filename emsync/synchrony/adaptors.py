"""From a map of patches to one vector a picture: the adaptors of MuVi (section 3.1, appendix A).

Shapes: N pictures, C channels of the encoder, D numbers inside, O numbers of the answer, P patches
once the map is halved both ways.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

GROUPS = 4  # of weights in a gate, and heads of the attention


class Adaptor(nn.Module, ABC):
    """Makes (N, O) of maps (N, C, H, W) and of ``cls`` (N, C), each picture's own.

    ``cls`` is a token that stands for the whole picture; only some adaptors look at it.
    """

    @abstractmethod
    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, maps: Tensor, cls: Tensor) -> Tensor:
        """Return one vector a picture."""


class Pooling(Adaptor):
    """Halves the map both ways, H and W being even, and makes one vector of its patches."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__(channels, width, out)
        self.halve = nn.Conv2d(channels, width, 2, stride=2)
        self.out = nn.Linear(width, out)

    def forward(self, maps: Tensor, cls: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        if height % 2 or width % 2:
            raise ValueError(f"the map is of {height} by {width} patches; both must be even")
        answer: Tensor = self.out(self.pooled(self.halve(maps), cls))
        return answer

    @abstractmethod
    def pooled(self, maps: Tensor, cls: Tensor) -> Tensor:
        """Return the (N, D) vector of each halved map (N, D, H / 2, W / 2)."""


class Average(Pooling):
    """The mean of the patches."""

    def pooled(self, maps: Tensor, cls: Tensor) -> Tensor:
        return maps.mean((2, 3))


class Gated(Pooling):
    """Weighted means of the patches, of as many groups of weights as GROUPS; then their mean."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__(channels, width, out)
        self.gate = nn.Conv2d(width, GROUPS, 3, padding=1)

    def pooled(self, maps: Tensor, cls: Tensor) -> Tensor:
        weights = self.weights(self.gate(maps).flatten(2))
        return torch.einsum("np,ndp->nd", weights, maps.flatten(2))

    @abstractmethod
    def weights(self, gates: Tensor) -> Tensor:
        """Return the weights (N, P) of the patches, which sum to 1, of the gates (N, GROUPS, P)."""


class Softmax(Gated):
    """Each group's weights sum to 1."""

    def weights(self, gates: Tensor) -> Tensor:
        return gates.softmax(dim=2).mean(dim=1)


class Sigmoid(Gated):
    """The mean of the groups is divided by the mean of their weights."""

    def weights(self, gates: Tensor) -> Tensor:
        means = gates.sigmoid().mean(dim=1)
        return means / means.sum(dim=1, keepdim=True)


class Attention(Pooling):
    """The token of the whole picture asks, by as many heads as GROUPS, and the patches answer."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__(channels, width, out)
        if width % GROUPS:
            raise ValueError(f"a width of {width} cannot be shared by {GROUPS} heads")
        self.query = nn.Linear(channels, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def pooled(self, maps: Tensor, cls: Tensor) -> Tensor:
        patches = maps.flatten(2).transpose(1, 2)  # (N, P, D)
        query, key, value = (
            rows.unflatten(-1, (GROUPS, -1)) for rows in
            (self.query(cls), self.key(patches), self.value(patches))
        )  # fmt: skip
        scores = torch.einsum("ngd,npgd->ngp", query, key) / query.shape[-1] ** 0.5
        return torch.einsum("ngp,npgd->ngd", scores.softmax(dim=2), value).flatten(1)


class Cls(Adaptor):
    """The token of the whole picture alone."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__(channels, width, out)
        self.out = nn.Linear(channels, out)

    def forward(self, maps: Tensor, cls: Tensor) -> Tensor:
        answer: Tensor = self.out(cls)
        return answer


ADAPTORS: dict[str, type[Adaptor]] = {
    "softmax": Softmax,
    "sigmoid": Sigmoid,
    "attention": Attention,
    "average": Average,
    "cls": Cls,
}
