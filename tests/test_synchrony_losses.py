"""Laws of SIM and of what the towers learn from (MuVi, section 3.2)."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from emsync.synchrony.losses import contrastive, similarities, similarity

FILMS, ROWS, NUMBERS, MORE = 5, 7, 4, 3


def units(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(*shape, NUMBERS, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn.double(), dim=-1)


def rows(seed: int) -> Tensor:
    return units(FILMS, ROWS, seed=seed)


def warm(value: float = 0.07) -> Tensor:
    return torch.tensor(value).double()


def test_sim_is_the_mean_cosine_row_by_row() -> None:
    a, b = rows(0), rows(1)
    by_hand = [[float(a[i, t] @ b[i, t]) for t in range(ROWS)] for i in range(FILMS)]
    torch.testing.assert_close(similarity(a, b), torch.tensor(by_hand).double().mean(1))
    assert (similarity(a, b).abs() <= 1).all()
    torch.testing.assert_close(similarity(a, a), torch.ones(FILMS).double())


def test_sim_does_not_pool_over_time() -> None:
    a = rows(0)
    assert similarity(a, a.roll(1, dims=1)).max() < 0.9


def test_all_similarities_are_those_of_each_pair() -> None:
    a, b = rows(0), rows(1)[:3]
    found = similarities(a, b)
    for i in range(FILMS):
        torch.testing.assert_close(found[i], similarity(a[i].expand(3, -1, -1), b))


def test_the_loss_is_equation_1() -> None:
    a, b, tau = rows(0), rows(1), 0.07
    s = similarities(a, b).tolist()
    total = 0.0
    for i in range(FILMS):
        own = math.exp(s[i][i] / tau)
        total += math.log(own / sum(math.exp(s[i][j] / tau) for j in range(FILMS)))
        total += math.log(own / sum(math.exp(s[j][i] / tau) for j in range(FILMS)))
    assert contrastive(a, b, warm(tau)).item() == pytest.approx(-total / (2 * FILMS))


def test_the_loss_with_more_music_is_equation_2() -> None:
    a, b, tau = rows(0), rows(1), 0.5
    more, there = units(FILMS, MORE, ROWS, seed=2), torch.ones(FILMS, MORE).bool()
    there[1, 2] = there[3, 0] = False
    s = similarities(a, b).tolist()
    total = 0.0
    for i in range(FILMS):
        own = math.exp(s[i][i] / tau)
        extra = sum(
            math.exp(float(similarity(a[i], more[i, x])) / tau) for x in range(MORE) if there[i, x]
        )
        total += math.log(own / (extra + sum(math.exp(s[i][j] / tau) for j in range(FILMS))))
        total += math.log(own / sum(math.exp(s[j][i] / tau) for j in range(FILMS)))
    found = contrastive(a, b, warm(tau), (more, there)).item()
    assert found == pytest.approx(-total / (2 * FILMS))


def test_films_and_music_may_change_places() -> None:
    a, b = rows(0), rows(1)
    torch.testing.assert_close(contrastive(a, b, warm()), contrastive(b, a, warm()))


def test_the_order_of_the_batch_is_of_no_account() -> None:
    a, b = rows(0), rows(1)
    more, there = units(FILMS, MORE, ROWS, seed=2), torch.ones(FILMS, MORE).bool()
    order = torch.randperm(FILMS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        contrastive(a, b, warm(), (more, there)),
        contrastive(a[order], b[order], warm(), (more[order], there[order])),
    )


def test_perfect_pairs_cost_nothing_where_likeness_decides_all() -> None:
    a = rows(0)
    losses = [contrastive(a, a, warm(tau)).item() for tau in (1.0, 0.1, 0.01)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-6


def test_chance_costs_the_logarithm_of_how_many_there_are() -> None:
    a = units(1, ROWS).expand(FILMS, -1, -1)
    assert contrastive(a, a, warm()).item() == pytest.approx(math.log(FILMS))
    more, there = a[:, None].expand(-1, MORE, -1, -1), torch.ones(FILMS, MORE).bool()
    half = (math.log(FILMS + MORE) + math.log(FILMS)) / 2
    assert contrastive(a, a, warm(), (more, there)).item() == pytest.approx(half)
    none = ~there
    assert contrastive(a, a, warm(), (more, none)).item() == pytest.approx(math.log(FILMS))


def test_more_music_teaches_the_films_alone() -> None:
    """What is not there has no gradient; what is there moves its own film only."""
    a, b = rows(0).requires_grad_(), rows(1)
    more = units(FILMS, MORE, ROWS, seed=2).requires_grad_()
    there = torch.zeros(FILMS, MORE).bool()
    there[2, 1] = True
    contrastive(a, b, warm(), (more, there)).backward()  # type: ignore[no-untyped-call]
    assert more.grad is not None
    moved = more.grad.abs().sum((2, 3)) > 0
    assert moved.tolist() == there.tolist()
    assert a.grad is not None
    without = a.detach().clone().requires_grad_()
    contrastive(without, b, warm()).backward()  # type: ignore[no-untyped-call]
    assert without.grad is not None
    differs = (a.grad - without.grad).abs().sum((1, 2)) > 1e-12
    assert differs.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("there", [None, False, True])
def test_the_temperature_learns(there: bool | None) -> None:
    temperature = torch.tensor(0.07, dtype=torch.float64, requires_grad=True)
    more = units(FILMS, MORE, ROWS, seed=2), torch.full((FILMS, MORE), bool(there))
    loss = contrastive(rows(0), rows(1), temperature, None if there is None else more)
    loss.backward()  # type: ignore[no-untyped-call]
    assert temperature.grad is not None
    assert temperature.grad.isfinite()
    assert temperature.grad.abs() > 0
