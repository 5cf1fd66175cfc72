"""The matching network of films, music and words, and CMVAE, which it is compared with."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from emsync.arrays import Float64s
from emsync.errors import UsageError
from emsync.matching.matcher import Columns
from emsync.retrieval import bins, cmvmr
from emsync.retrieval.cmvae import Cmvae, CmvaeShape
from emsync.retrieval.cmvmr import Cmvmr, CmvmrShape
from emsync.retrieval.network import Batch, Network, Parts, asked, kept
from emsync.retrieval.vm_net import mean_and_spread

FILM, MUSIC = 6, 5  # numbers of a token
Clips = Literal["mean", "sequence", "rhythm"]
SMALL = CmvmrShape(shrink=32, dropout=0.0)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def tiny(shape: CmvmrShape = SMALL) -> Cmvmr:
    return Cmvmr(FILM, MUSIC, shape)


def drawn(count: int, width: int, lengths: tuple[int, ...] = ()) -> Parts:
    """Return parts of random tokens and marks."""
    lengths = lengths or (28,) * count
    limits = [bins.FLOWS] if width == FILM else [bins.COUNTS, bins.STRENGTHS, bins.INTERVALS]
    chance = np.random.default_rng(width)
    marks = [chance.integers(0, limits, (-(-length // 4), len(limits))) for length in lengths]
    return Parts.of([torch.randn(length, width) for length in lengths], marks)


def batch(count: int = 8, label: Tensor | None = None) -> Batch:
    zeros = torch.zeros(count, dtype=torch.int64)
    films, music = drawn(count, FILM), drawn(count, MUSIC)
    return Batch(films, music, torch.arange(count), zeros, zeros, label)


def learned(network: Network, what: Batch, steps: int = 60) -> list[float]:
    """Return the losses of a short training by heart."""
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = network.loss(what, step / steps)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses


def test_products_are_negative_squared_distances_and_an_index_keeps_them() -> None:
    films, music = torch.randn(5, 40) * 5, torch.randn(7, 40) * 5
    products = asked(films) @ kept(music).T
    torch.testing.assert_close(-products, torch.cdist(films, music) ** 2, rtol=2e-3, atol=0)
    rounded = music.half().float()
    torch.testing.assert_close(-products, torch.cdist(films, rounded) ** 2, rtol=1e-5, atol=1e-3)
    assert torch.equal(kept(music).half().float(), kept(music))


def test_pooling_to_clips_is_the_mean_of_what_is_there() -> None:
    parts = Parts.of([torch.randn(28, 3), torch.randn(9, 3)])
    clips, real = cmvmr.in_clips(parts, 4)
    assert clips.shape == (2, 7, 3)
    assert real.sum(1).tolist() == [7, 3]
    torch.testing.assert_close(clips[1, 2], parts.tokens[1, 8])
    torch.testing.assert_close(clips[0, 1], parts.tokens[0, 4:8].mean(0))
    whole, real = cmvmr.in_clips(parts, 28)
    torch.testing.assert_close(whole[1, 0], parts.tokens[1, :9].mean(0))
    assert real.all()


@pytest.mark.parametrize("clips", ["mean", "sequence", "rhythm"])
def test_padding_and_what_is_beside_it_change_nothing(clips: Clips) -> None:
    network = tiny(replace(SMALL, clips=clips)).eval()
    lengths = (28, 9, 3)
    both = drawn(3, FILM, lengths), drawn(3, MUSIC, lengths)
    for embed, parts in zip((network.film, network.music), both, strict=True):
        found = embed(parts)
        other = replace(parts, tokens=parts.tokens + 9.0 * ~parts.real[..., None])
        torch.testing.assert_close(embed(other), found)
        assert parts.marks is not None
        for row, length in enumerate(lengths):
            marks = parts.marks[row : row + 1, : -(-length // 4)]
            own = Parts(parts.tokens[row : row + 1, :length], parts.real[row : row + 1, :length])
            torch.testing.assert_close(embed(replace(own, marks=marks))[0], found[row])


def test_what_each_setting_knows() -> None:
    def told(clips: Clips) -> list[bool]:
        network, parts = tiny(replace(SMALL, clips=clips)).eval(), drawn(1, MUSIC)
        assert parts.marks is not None
        tokens = parts.tokens.view(7, 4, -1)
        within = replace(parts, tokens=tokens.flip(1).reshape(1, 28, -1))
        order = replace(parts, tokens=tokens.flip(0).reshape(1, 28, -1))
        beats = replace(parts, marks=parts.marks.flip(1))
        found = network.music(parts)
        return [
            not torch.allclose(found, network.music(other), atol=1e-5)
            for other in (within, order, beats)
        ]

    assert told("mean") == [False, False, False]
    assert told("sequence") == [False, True, False]
    assert told("rhythm") == [False, True, True]


def test_marks_are_those_of_the_clips() -> None:
    film: Columns = {"flow": np.full(60, 1.0)}
    track: Columns = {"beats": np.arange(0.0, 40, 0.5), "strength": np.ones(80)}
    network = tiny()
    assert network.marks(film, (0, 10)).tolist() == [[44]] * 3
    assert network.marks(track, (14, 22)).tolist() == [[8, 1, 8]] * 2
    assert tiny(replace(SMALL, clips="sequence")).marks(track, (14, 23)).shape == (3, 0)


def test_a_long_film_has_parts_of_equal_length() -> None:
    network = tiny()
    assert network.divide({}, 28) == [(0, 28)]
    assert network.divide({}, 29) == [(0, 14), (14, 29)]
    assert network.divide({}, 1) == [(0, 1)]
    parts = network.divide({}, 100)
    assert [start for start, _ in parts[1:]] == [stop for _, stop in parts[:-1]]
    assert max(stop - start for start, stop in parts) <= 28


def test_alone_nothing_depends_on_a_partner_and_in_company_it_does() -> None:
    network = tiny().eval()
    films, music = network.film_phi(drawn(4, FILM)), network.music_phi(drawn(4, MUSIC))
    theta, _ = network.together(films, music)
    other, _ = network.together(films, music.flip(0))
    assert not torch.allclose(theta, other, atol=1e-4)
    masked = films[:, None] + network.cross(
        torch.stack([films, music], 1) + network.sides, torch.tensor([True, False]).expand(4, -1)
    )
    torch.testing.assert_close(network.film_theta(masked[:, 0]), network.film_alone(films))


def test_all_pairs_are_each_pair_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny().eval()
    films, music = network.film_phi(drawn(3, FILM)), network.music_phi(drawn(4, MUSIC))
    scores = network.pairs(films, music)
    for i in range(3):
        for j in range(4):
            of_film, of_music = network.together(films[i : i + 1], music[j : j + 1])
            far = (of_film - of_music).norm()
            rho = (network.decoder(of_film) - network.decoder(of_music)).norm()
            torch.testing.assert_close(scores[i, j], -0.6 * far - 0.4 * rho)
    monkeypatch.setattr(cmvmr, "AT_ONCE", 5)
    torch.testing.assert_close(network.pairs(films, music), scores)


def test_labels_stand_for_themselves() -> None:
    rows = cmvmr.words(torch.arange(30), 12)
    products = rows @ rows.T
    torch.testing.assert_close(products.diagonal(), torch.ones(30))
    torch.testing.assert_close(products[:12, :12], torch.eye(12))
    assert products[~torch.eye(30, dtype=torch.bool)].max() < 0.99
    assert torch.equal(cmvmr.words(torch.tensor([17, 3]), 12), rows[[17, 3]])


def test_the_next_column_that_is_marked_begins_anew_at_the_end() -> None:
    marked = torch.tensor(
        [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool
    )
    assert cmvmr.next_of(marked).tolist() == [2, 2, 0, 0]


@torch.no_grad()
def slow_loss(network: Cmvmr, what: Batch) -> float:
    """Return the loss of films of one part each, term by term; all of them have labels."""
    shape = network.settings
    assert what.label is not None
    films, music = network.film_phi(what.films), network.music_phi(what.music)
    count, label = len(films), what.label.tolist()
    word = cmvmr.words(what.label, films.shape[1])
    own = network.word_theta(word)
    of_words = [[k for k in range(count) if label[k] != label[i]] for i in range(count)]
    all_others = [[k for k in range(count) if k != i] for i in range(count)]

    def triplet(a: Tensor, p: Tensor, n: Tensor) -> float:
        return max(0.0, float((a - p).norm() - (a - n).norm() + shape.margin))

    def mean(values: list[float]) -> float:
        wrong = [value for value in values if value > 0]
        return sum(wrong) / max(len(wrong), 1)

    def square(a: Tensor, b: Tensor) -> float:
        return float(((a - b) ** 2).mean())

    def over(a: Tensor, p: Tensor, n: Tensor, others: list[list[int]]) -> float:
        return mean([triplet(a[i], p[i], n[k]) for i in range(count) for k in others[i]])

    alone = network.film_alone(films), network.music_alone(music)
    v, m = alone
    total = shape.met * (over(v, m, m, all_others) + over(m, v, v, all_others))
    company = network.together(films, music)
    for v, m in (alone, company):
        back = square(network.film_back(v), films) + square(network.music_back(m), music)
        total += shape.told * (back + square(network.decoder(own), word))
        for theta in (v, m):
            for anchors, owns in ((theta, own), (own, theta)):
                total += shape.named * over(anchors, owns, theta, of_words)
            alike = square(theta, own) + square(network.decoder(theta), word)
            total += shape.told * alike
    hinges, judged = [], []
    v, m = company
    for i in range(count):
        k = (i + 1) % count
        near = float((v[i] - m[i]).norm())
        pairs = [(i, i), (i, k), (k, i)]
        for film, track in pairs:
            a, b = network.together(films[film][None], music[track][None])
            if film != track:
                hinges.append(max(0.0, near - float((a - b).norm()) + shape.margin))
            rho = network.decoder(torch.cat([b, a]))
            scores = network.judge(rho.flatten()).log_softmax(0)
            judged.append(-float(scores[int(film == track)]))
    return total + shape.met * mean(hinges) + shape.judged * sum(judged) / len(judged)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    shape = replace(SMALL, named=0.5, met=2.0, told=3.0, judged=0.7, margin=0.2)
    network = tiny(shape)
    what = batch(5, torch.tensor([0, 0, 1, 2, 1]))
    assert network.loss(what, 0.0).item() == pytest.approx(slow_loss(network, what), rel=1e-4)


def test_words_can_be_left_out() -> None:
    network = tiny(replace(SMALL, named=0.0))
    what = batch(5, torch.tensor([0, 0, 1, 2, 1]))
    assert network.loss(what, 0.0).item() == network.loss(replace(what, label=None), 0.0).item()


@pytest.mark.parametrize("shrink", [3, 48])
def test_widths_are_halved_only(shrink: int) -> None:
    with pytest.raises(UsageError, match=f"shrink is {shrink}, which is no power of 2"):
        CmvmrShape(shrink=shrink)
    for halvings in range(7):
        tiny(CmvmrShape(shrink=2**halvings)).film(drawn(1, FILM))


def test_without_labels_or_others_there_is_a_loss_too() -> None:
    network = tiny()
    for what in (
        batch(4),
        batch(1),
        batch(4, torch.full((4,), -1)),
        batch(2, torch.tensor([1, 1])),
    ):
        loss = network.loss(what, 0.0)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite()
    for weight in network.parameters():
        assert weight.grad is None or weight.grad.isfinite().all()


def test_it_learns_which_music_belongs_to_which_film_alone_and_in_company() -> None:
    network, what = tiny(), batch(8, torch.tensor([0, 1, 2, 3, 0, 1, 2, 3]))
    losses = learned(network, what, 80)
    assert losses[-1] < losses[0] / 3
    alone = network.film(what.films) @ network.music(what.music).T
    company = network.pairs(network.film_phi(what.films), network.music_phi(what.music))
    for scores in (alone, company):
        best = scores.argmax(1)
        assert what.label is not None
        assert (what.label[best] == what.label).float().mean() >= 7 / 8


def test_the_paper_s_widths_have_as_many_weights_as_ever() -> None:
    with torch.device("meta"):
        network = Cmvmr(128, 143, CmvmrShape())
    assert sum(weight.numel() for weight in network.parameters()) == 11_393_666


def test_cmvae_ranks_by_the_2_wasserstein_distance() -> None:
    network = Cmvae(FILM, MUSIC, CmvaeShape(width=8, hidden=16)).eval()
    films, music = drawn(3, FILM), drawn(4, MUSIC)
    products = network.film(films) @ network.music(music).T
    of_films = normals(network.of_film(mean_and_spread(films)))
    of_music = normals(network.of_music(mean_and_spread(music)))
    for i, (mean, spread) in enumerate(of_films):
        for j, (own, wide) in enumerate(of_music):
            root = np.sqrt(np.sqrt(spread) @ wide @ np.sqrt(spread))
            away = ((mean - own) ** 2).sum() + np.trace(spread + wide - 2 * root)
            assert -float(products[i, j].detach()) == pytest.approx(away, rel=5e-3)


def normals(told: tuple[Tensor, Tensor]) -> list[tuple[Float64s, Float64s]]:
    """Return the mean and the covariance of each distribution."""
    mean, log = (part.detach().double().numpy() for part in told)
    return [(own, np.diag(np.exp(logs))) for own, logs in zip(mean, log, strict=True)]


def test_cmvae_learns_which_music_belongs_to_which_film() -> None:
    network, what = Cmvae(FILM, MUSIC, CmvaeShape(width=16, hidden=64, dropout=0.0)), batch(8)
    losses = learned(network, what, 100)
    assert losses[-1] < losses[0]
    scores = network.film(what.films) @ network.music(what.music).T
    assert (scores.argmax(1) == torch.arange(8)).all()
