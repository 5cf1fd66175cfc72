"""Laws of what towers learn from; each loss has a twin of plain loops."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from emsync.retrieval.losses import (
    gathered,
    kept_order,
    matched,
    most_violated,
    ordered,
    ranked,
)

MARGIN = 0.1


def units(count: int, seed: int, numbers: int = 3) -> Tensor:
    drawn = torch.randn(count, numbers, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn.double(), dim=1)


def mean_of_violated(hinges: list[float], most: int | None = None) -> float:
    worst = [hinge for hinge in sorted(hinges, reverse=True)[:most] if hinge > 0]
    return sum(worst) / max(1, len(worst))


@pytest.mark.parametrize("most", [None, 1, 5, 10_000])
def test_matched_is_the_loop_over_triplets(most: int | None) -> None:
    a, b = units(7, 0), units(7, 1)
    hinges = [
        float(MARGIN + a[i] @ b[k] - a[i] @ b[i]) for i, k in product(range(7), repeat=2) if i != k
    ]
    assert most_violated(matched(a, b, MARGIN), most).item() == pytest.approx(
        mean_of_violated(hinges, most)
    )


@pytest.mark.parametrize("most", [None, 3])
def test_ordered_is_the_loop_over_triplets(most: int | None) -> None:
    anchors, fast, slow = (units(5, seed) for seed in range(3))
    hinges = [
        float(MARGIN + anchors[i] @ slow[j] - anchors[i] @ fast[j])
        for i, j in product(range(5), repeat=2)
    ]
    assert most_violated(ordered(anchors, fast, slow, MARGIN), most).item() == pytest.approx(
        mean_of_violated(hinges, most)
    )


@pytest.mark.parametrize("most", [None, 3])
def test_gathered_is_the_loop_over_triplets_whose_anchor_is_not_the_positive(
    most: int | None,
) -> None:
    fast, slow = units(4, 0), units(4, 1)
    hinges = [
        float(MARGIN + fast[i] @ slow[k] - fast[i] @ fast[j])
        for i, j, k in product(range(4), repeat=3)
        if j != i
    ]
    assert most_violated(gathered(fast, slow, MARGIN), most).item() == pytest.approx(
        mean_of_violated(hinges, most)
    )


@pytest.mark.parametrize("most", [1, 3, 100])
def test_ranked_is_the_loop_over_the_worst_of_each_anchor(most: int) -> None:
    a, b = units(6, 0), units(6, 1)
    worst: list[float] = []
    for i in range(6):
        hinges = [
            float(MARGIN + (a[i] - b[i]).square().sum() - (a[i] - b[k]).square().sum())
            for k in range(6)
            if k != i
        ]
        worst += sorted((max(0.0, hinge) for hinge in hinges), reverse=True)[:most]
    assert ranked(a, b, MARGIN, most).item() == pytest.approx(sum(worst) / len(worst))


def test_kept_order_is_the_loop_over_triples() -> None:
    inputs, embedded = units(5, 0, 8) * 3, units(5, 1)
    before, after = torch.cdist(inputs, inputs), torch.cdist(embedded, embedded).square()
    found = 0.0
    for i, j, k in product(range(5), repeat=3):
        order = (before[i, j] - before[i, k]).sign() - (after[i, j] - after[i, k]).sign()
        found += float(order * (after[i, k] - after[i, j]))
    assert kept_order(inputs, embedded).item() == pytest.approx(found / 5**3)
    assert found > 0


def test_an_order_that_is_kept_costs_nothing() -> None:
    assert kept_order(units(6, 0), units(6, 0)).item() == pytest.approx(0, abs=1e-12)


def test_nothing_is_lost_exactly_where_all_orders_hold_by_the_margin() -> None:
    corners = torch.eye(4)
    assert most_violated(matched(corners, corners, 0.99)).item() == 0
    assert most_violated(matched(corners, corners, 1.01)).item() == pytest.approx(0.01, abs=1e-6)


def test_only_the_violated_have_a_gradient() -> None:
    hinges = torch.tensor([0.3, -0.2, 0.1, 0.0, 0.4], requires_grad=True)
    most_violated(hinges, 2).backward()  # type: ignore[no-untyped-call]
    assert hinges.grad is not None
    assert hinges.grad.tolist() == [0.5, 0, 0, 0, 0.5]


def test_without_triplets_there_is_no_loss() -> None:
    none = torch.zeros(0, 4)
    assert most_violated(gathered(none, none, MARGIN), 10).item() == 0
    assert most_violated(matched(torch.ones(1, 1), torch.ones(1, 1), MARGIN), 10).item() == 0
