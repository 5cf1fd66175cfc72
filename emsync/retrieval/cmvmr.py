"""UT-CMVMR's matching network: films, music and the words of their labels in one space, in PyTorch.

Mao et al., *Unified Pretraining Target Based Video-Music Retrieval With Music Rhythm And Video
Optical Flow Information*, sections 2.2 and 2.3; after AVCA (Mercea et al. 2022). A film and music
attend to each other, so a score is of both together and no index can hold it. Ours: each also
passes alone, as if the other were masked, and learns so as often as in company. What it becomes
alone is the embedding that an index keeps; the best by it are then scored as pairs.

Where the paper is silent: 4 heads of width 64; labels stand for themselves by rows of a fixed
orthogonal matrix, and no sentence is read. Negatives of a word are the parts of a batch that bear
another label; those of a film and its music are all others, since it is the song that is sought,
not its label. A pair in company has as negatives the same film with other music and the same music
with another film: were they taken from other pairs, as published, then attention could make
anything that is in company alike.

Shapes: P parts of L tokens, C clips of 4 s; φ of 768 numbers and θ of 256 as the paper has them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emsync.arrays import Int64s
from emsync.errors import UsageError
from emsync.matching.matcher import Columns
from emsync.retrieval import bins
from emsync.retrieval.losses import most_violated
from emsync.retrieval.network import Batch, Network, Parts, asked, kept
from emsync.retrieval.of_vm_net import sinusoids
from emsync.retrieval.regimes import Stretch
from emsync.settings import Within, check

HEADS, HEAD = 4, 64  # of each attention, and the width of each
CLIP, HIDDEN, PHI, MIDDLE, THETA = 512, 1024, 768, 512, 256  # widths of the paper
BEATS = ((bins.COUNTS, CLIP // 2), (bins.STRENGTHS, CLIP // 4), (bins.INTERVALS, CLIP // 4))
FLOW = ((bins.FLOWS, CLIP),)
BY_THETA, BY_RHO = 0.6, 0.4  # of the distance of a pair
AT_ONCE = 4096  # pairs that are scored together


@dataclass(frozen=True)
class CmvmrShape:
    """The settings of the matching network."""

    clips: Annotated[
        Literal["mean", "sequence", "rhythm"],
        "what it knows of each clip of 4 s: the mean over all clips alone (the paper's AE and "
        "A-SE), their sequence (SE), or also its rhythm and its flow (SE&R)",
    ] = "rhythm"
    shrink: Annotated[int, Within(1, 64), "by which all widths of the paper are divided"] = 1
    dropout: Annotated[float, Within(0, 0.95), "share of the activations"] = 0.1
    margin: Annotated[float, Within(0, 16), "by which what belongs together is nearer"] = 0.5
    named: Annotated[
        float, Within(0, 100), "weight of being near the word of the label; 0 leaves words out"
    ] = 1.0
    met: Annotated[float, Within(0, 100), "weight of films being near their music"] = 1.0
    told: Annotated[float, Within(0, 100), "weight of what can be told back"] = 1.0
    judged: Annotated[float, Within(0, 100), "weight of telling what belongs together"] = 1.0

    def __post_init__(self) -> None:
        check(self)
        if self.shrink & (self.shrink - 1):
            raise UsageError(f"shrink is {self.shrink}, which is no power of 2")


class Cmvmr(Network):
    """Two encoders, attention between a film and music, and a space that words share."""

    name: ClassVar[str] = "ut-cmvmr"
    shape = CmvmrShape
    settings: CmvmrShape
    looks_at = ("flow", "beats", "strength")

    def __init__(self, film: int, music: int, settings: CmvmrShape) -> None:
        super().__init__(film, music, settings)
        small, drop = settings.shrink, settings.dropout
        phi, middle, theta = PHI // small, MIDDLE // small, THETA // small
        self.film_encoder = Encoder(film, FLOW, settings)
        self.music_encoder = Encoder(music, BEATS, settings)
        self.sides = nn.Parameter(torch.randn(2, phi) * 0.02)  # tell a film from music
        self.cross = Attention(phi, HEAD // small, drop)
        self.film_theta, self.music_theta, self.word_theta = (
            layers((phi, middle, theta), drop) for _ in range(3)
        )
        self.decoder = layers((theta, middle, phi), drop)
        self.film_back, self.music_back = (layers((theta, middle, phi), drop) for _ in range(2))
        self.judge = layers((2 * phi, phi, phi // 2, 2), drop)

    def divide(self, film: Columns, seconds: int) -> list[Stretch]:
        """Return as few parts of equal length as are no longer than what is learned from."""
        count = math.ceil(seconds / self.passage)
        edges = [round(seconds * part / count) for part in range(count + 1)]
        return list(pairwise(edges))

    def marks(self, columns: Columns, stretch: Stretch) -> Int64s:
        """Return the classes of the flow of a film, or of the beats of a track."""
        if self.settings.clips != "rhythm":
            return super().marks(columns, stretch)
        return (bins.rhythm if "beats" in columns else bins.flow)(columns, *stretch)

    def film(self, parts: Parts) -> Tensor:
        """Return the embeddings of parts of films, each alone.

        Their products with those of music are the negative squares of the distances of θ.
        """
        return asked(self.film_alone(self.film_phi(parts)))

    def music(self, parts: Parts) -> Tensor:
        """Return the embeddings of parts of music, each alone."""
        return kept(self.music_alone(self.music_phi(parts)))

    def film_phi(self, parts: Parts) -> Tensor:
        """Return the (P, 768) φ of parts of films: all that a pair needs of a film."""
        phi: Tensor = self.film_encoder(parts)
        return phi

    def music_phi(self, parts: Parts) -> Tensor:
        """Return the (P, 768) φ of parts of music: all that a pair needs of music."""
        phi: Tensor = self.music_encoder(parts)
        return phi

    def film_alone(self, phi: Tensor) -> Tensor:
        """Return the (P, 256) θ of films that meet no music."""
        theta: Tensor = self.film_theta(self._attended(phi[:, None], self.sides[:1])[:, 0])
        return theta

    def music_alone(self, phi: Tensor) -> Tensor:
        """Return the (P, 256) θ of music that meets no film."""
        theta: Tensor = self.music_theta(self._attended(phi[:, None], self.sides[1:])[:, 0])
        return theta

    def together(self, films: Tensor, music: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (P, 256) θ of films and of music, of which each film meets one: eq. 3."""
        both = self._attended(torch.stack([films, music], 1), self.sides)
        return self.film_theta(both[:, 0]), self.music_theta(both[:, 1])

    def pairs(self, films: Tensor, music: Tensor) -> Tensor:
        """Return the (P, Q) scores of all pairs of φ: the negative distances of both in company."""
        rows, columns = len(films), len(music)
        numbers = torch.arange(rows * columns, device=films.device)
        scores = [
            self.scores(films[some // columns], music[some % columns])
            for some in torch.split(numbers, AT_ONCE)
        ]
        return torch.cat(scores).view(rows, columns)

    def loss(self, batch: Batch, share: float) -> Tensor:
        """Return eqs. 4 and 5 and the cross-entropy of what belongs together; section 2.3."""
        chosen = self.settings
        films, music = self.film_phi(batch.films), self.music_phi(batch.music)
        others = batch.film[:, None] != batch.film
        alone = self.film_alone(films), self.music_alone(music)
        company = self.together(films, music)
        total = chosen.met * (self._apart(*alone, others) + self._apart(*alone[::-1], others))
        for thetas in (alone, company):
            for back, theta, phi in zip(
                (self.film_back, self.music_back), thetas, (films, music), strict=True
            ):
                total = total + chosen.told * F.mse_loss(back(theta), phi)
            if batch.label is not None and chosen.named:
                total = total + self._words(thetas, batch.label)
        return total + self._company(films, music, company, others)

    def _attended(self, phi: Tensor, sides: Tensor) -> Tensor:
        """Return the (P, 1 or 2, 768) φ with what each finds in those beside it."""
        attended: Tensor = phi + self.cross(phi + sides)
        return attended

    def scores(self, films: Tensor, music: Tensor) -> Tensor:
        """Return the (P,) scores of a film and music each: their negative distance in company.

        Section 3.2.5 tells of no distance; 0.6 of θ and 0.4 of ρ are those of the authors' code.
        """
        of_film, of_music = self.together(films, music)
        by_rho = distance(self.decoder(of_film), self.decoder(of_music))
        return -BY_THETA * distance(of_film, of_music) - BY_RHO * by_rho

    def _apart(self, anchors: Tensor, owns: Tensor, others: Tensor) -> Tensor:
        """Return the triplets of anchors, what belongs to each, and the others of its kind."""
        near = distance(anchors, owns)[:, None]
        hinges = near - torch.cdist(anchors, owns) + self.settings.margin
        return most_violated(hinges.masked_fill(~others, -torch.inf))

    def _words(self, thetas: tuple[Tensor, Tensor], label: Tensor) -> Tensor:
        """Return the triplets with the words of the labels, and what keeps all three alike."""
        chosen, told = self.settings, label >= 0
        others = label[told][:, None] != label  # no label is another one, too
        if not told.any():
            return torch.zeros((), device=label.device)
        word = words(label[told], PHI // chosen.shrink)
        own = self.word_theta(word)
        total = chosen.told * F.mse_loss(self.decoder(own), word)
        for theta in thetas:
            mine = theta[told]
            near = distance(mine, own)[:, None] + chosen.margin
            for anchors in (mine, own):
                hinges = (near - torch.cdist(anchors, theta)).masked_fill(~others, -torch.inf)
                total = total + chosen.named * most_violated(hinges)
            alike = F.mse_loss(mine, own) + F.mse_loss(self.decoder(mine), word)
            total = total + chosen.told * alike
        return total

    def _company(
        self, films: Tensor, music: Tensor, company: tuple[Tensor, Tensor], others: Tensor
    ) -> Tensor:
        """Return what pairs lose to those of the same film, or the same music, with another."""
        possible = others.any(1)
        if not possible.any():
            return torch.zeros((), device=films.device)
        wrong = next_of(others)[possible]
        right = company[0][possible], company[1][possible]
        false = (
            self.together(films[possible], music[wrong]),
            self.together(films[wrong], music[possible]),
        )
        chosen, near = self.settings, distance(*right)
        hinges = torch.stack([near - distance(*pair) + chosen.margin for pair in false])
        told = [
            self.judge(torch.cat([self.decoder(of_music), self.decoder(of_film)], 1))
            for of_film, of_music in (right, *false)
        ]
        answers = torch.tensor([1, 0, 0], device=films.device).repeat_interleave(len(wrong))
        judged = F.cross_entropy(torch.cat(told), answers)
        return chosen.met * most_violated(hinges) + chosen.judged * judged


class Encoder(nn.Module):
    """Makes φ of the clips of a part: eq. 2, and the layers after it."""

    def __init__(
        self, tokens: int, tables: tuple[tuple[int, int], ...], settings: CmvmrShape
    ) -> None:
        super().__init__()
        small, drop = settings.shrink, settings.dropout
        width, hidden = CLIP // small, HIDDEN // small
        self.whole = settings.clips == "mean"
        self.begin = nn.Linear(tokens, width)
        self.tables = nn.ModuleList(
            nn.Embedding(count, own // small) for count, own in tables if settings.clips == "rhythm"
        )
        self.attention = Attention(width, HEAD // small, drop)
        self.between, self.end = (
            nn.Sequential(nn.LayerNorm(width), *layers((width, hidden, after), drop))
            for after in (width, PHI // small)
        )

    def forward(self, parts: Parts) -> Tensor:
        """Return the (P, 768) φ."""
        clips, real = in_clips(parts, parts.tokens.shape[1] if self.whole else bins.CLIP)
        x = self.begin(clips)
        if len(self.tables):
            assert parts.marks is not None
            marks = parts.marks[:, : x.shape[1]].unbind(2)
            told = [table(own) for table, own in zip(self.tables, marks, strict=True)]
            x = x + torch.cat(told, 2)
        x = x + sinusoids(x.shape[1], x.shape[2]).to(x)
        x = x + self.attention(x, real)
        x = x + self.between(x)
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        phi: Tensor = self.end(mean)
        return phi


class Attention(nn.Module):
    """Attention of all to all of a few tokens, of heads narrower than their share of the width."""

    def __init__(self, width: int, head: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 3 * HEADS * head)  # queries, keys, values
        self.out = nn.Linear(HEADS * head, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Return (P, N, W): what each of (P, N, W) finds in those that are ``real``, (P, N)."""
        inner = self.inner(self.norm(x)).view(*x.shape[:2], 3, HEADS, -1)
        mask = None if real is None else real[:, None, None]
        queries, keys, values = inner.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(queries, keys, values, mask)
        found: Tensor = self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return found


def layers(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Return fully connected layers with what is between them."""
    made: list[nn.Module] = []
    for before, after in pairwise(widths):
        made += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*made[:-2])


def in_clips(parts: Parts, seconds: int) -> tuple[Tensor, Tensor]:
    """Return the (P, C, F) means over each ``seconds`` of tokens, and which are real, (P, C)."""
    missing = -parts.tokens.shape[1] % seconds
    count, _, width = parts.tokens.shape
    real = F.pad(parts.real, (0, missing)).view(count, -1, seconds)
    tokens = F.pad(parts.tokens, (0, 0, 0, missing)).view(count, -1, seconds, width)
    counts = real.sum(2)
    means = (tokens * real[..., None]).sum(2) / counts.clamp(min=1)[..., None]
    return means, counts > 0


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the (P,) distances of rows."""
    return torch.linalg.vector_norm(a - b, dim=1)


def next_of(others: Tensor) -> Tensor:
    """Return for each row the first column after its own that is marked, (P,), beginning anew."""
    count = len(others)
    steps = torch.arange(count, device=others.device)
    columns = (steps[:, None] + steps) % count
    first = others.gather(1, columns).int().argmax(1)
    return columns.gather(1, first[:, None])[:, 0]


def words(numbers: Tensor, width: int) -> Tensor:
    """Return what stands for labels: (P, width), fixed rows of length 1.

    The first ``width`` labels have nothing in common, nor the next, and so on.
    """
    blocks = int(numbers.max()) // width + 1
    return torch.cat([_orthogonal(block, width) for block in range(blocks)]).to(numbers.device)[
        numbers
    ]


@lru_cache
def _orthogonal(number: int, width: int) -> Tensor:
    """Return an orthogonal matrix that is always the same."""
    drawn = torch.randn(width, width, generator=torch.Generator().manual_seed(number))
    return torch.linalg.qr(drawn.double()).Q.float()
