"""The laws of rectified flow, on a Gaussian whose velocity is known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from emsync.muvi.flow import Velocity, between, draw_times, guided, loss, solve

MEAN, SPREAD = torch.tensor([1.5, -0.5]), torch.tensor([[2.0, 0.6], [0.6, 0.5]])


def known(x: Tensor, t: Tensor) -> Tensor:
    """E[x_1 - x_0 | x_t] where the data are Gaussian."""
    one, t = torch.eye(2, dtype=x.dtype), t[:, None, None]
    mean, spread = MEAN.to(x), SPREAD.to(x)
    matrix = (t * spread - (1 - t) * one) @ torch.linalg.inv(t**2 * spread + (1 - t) ** 2 * one)
    return mean + (x - t * mean) @ matrix.mT


def root() -> Tensor:
    values, vectors = torch.linalg.eigh(SPREAD.double())
    return vectors @ values.sqrt().diag() @ vectors.T


def noise(batch: int, length: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn((batch, length, 2), generator=torch.manual_seed(7), dtype=dtype)


def counted(x: Tensor) -> Tensor:
    return torch.zeros(x.shape[:2], dtype=torch.bool)


def exact(x: Tensor) -> Tensor:
    return MEAN.double() + x @ root()


def test_between_is_noise_at_the_start_and_data_at_the_end() -> None:
    a, b = noise(2), noise(2) + 1
    assert torch.equal(between(a, b, torch.zeros(2)), a)
    assert torch.equal(between(a, b, torch.ones(2)), b)


def test_what_is_learned_is_how_the_way_changes_in_time() -> None:
    a, b, t = noise(2), noise(2).flip(0), torch.tensor([0.3, 0.8], dtype=torch.float64)
    change = (between(a, b, t + 0.1) - between(a, b, t)) / 0.1
    torch.testing.assert_close(change, b - a)
    assert loss(change, a, b, counted(a)).item() < 1e-20


def test_the_known_velocity_carries_noise_to_the_data() -> None:
    x = noise(4)
    torch.testing.assert_close(solve(known, x, 100, "heun"), exact(x), atol=0.002, rtol=0)


@pytest.mark.parametrize(("solver", "order", "within"), [("euler", 2, 0.15), ("heun", 4, 0.6)])
def test_halving_the_step_divides_the_error(solver: str, order: float, within: float) -> None:
    x = noise(8)
    errors = [(solve(known, x, n, solver) - exact(x)).norm().item() for n in (32, 64)]  # type: ignore[arg-type]
    assert errors[0] / errors[1] == pytest.approx(order, abs=within)


def test_no_network_is_better_than_the_known_velocity_and_a_small_one_comes_near() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 2))
    optim = torch.optim.Adam(net.parameters(), 5e-3)

    def told(x: Tensor, t: Tensor) -> Tensor:
        return net(torch.cat([x, t[:, None, None].expand(-1, x.shape[1], 1)], -1))

    def measured(velocity: Velocity, batch: int) -> Tensor:
        a, t = torch.randn(batch, 1, 2), draw_times(batch, "uniform")
        b = exact(torch.randn(batch, 1, 2, dtype=torch.float64)).float()
        return loss(velocity(between(a, b, t), t), a, b, counted(a))

    for _ in range(400):
        optim.zero_grad()
        measured(told, 256).backward()  # type: ignore[no-untyped-call]
        optim.step()
    with torch.no_grad():
        a, t = torch.randn(50_000, 1, 2), draw_times(50_000, "uniform")
        b = exact(torch.randn(50_000, 1, 2, dtype=torch.float64)).float()
        v = known(between(a, b, t), t)
        best = (b - a).square().mean() - v.square().mean()
        torch.testing.assert_close(loss(v, a, b, counted(a)), best, atol=0.03, rtol=0)
        assert best - 0.02 < measured(told, 50_000) < best + 0.06


def test_times_of_both_kinds_lie_between_the_ends() -> None:
    torch.manual_seed(1)
    even, middle = draw_times(4000, "uniform"), draw_times(4000, "logit-normal")
    for t in (even, middle):
        assert t.min() >= 0 and t.max() <= 1 and abs(t.mean() - 0.5) < 0.02
    assert middle.std() < even.std()


def constant(value: float, asked: list[float]) -> Velocity:
    def velocity(x: Tensor, t: Tensor) -> Tensor:
        asked.append(value)
        return (x * value).sin()

    return velocity


def test_guidance_of_one_and_of_none_asks_once() -> None:
    x, t, asked = noise(2), torch.zeros(2), list[float]()
    a, b = constant(2.0, asked), constant(3.0, asked)
    assert torch.equal(guided(a, b, 1.0)(x, t), (x * 2).sin()) and asked == [2.0]
    assert torch.equal(guided(a, b, 0.0)(x, t), (x * 3).sin()) and asked == [2.0, 3.0]


def test_guidance_is_linear() -> None:
    x, t = noise(2), torch.zeros(2)
    a, b = constant(2.0, []), constant(3.0, [])
    at = [guided(a, b, g)(x, t) for g in (0.0, 1.0, 2.0, 4.0)]
    torch.testing.assert_close(at[2] - at[1], at[1] - at[0])
    torch.testing.assert_close(at[3] - at[0], 4 * (at[1] - at[0]))


def coupled(x: Tensor, t: Tensor) -> Tensor:
    """Latents that look at each other."""
    return known(x, t) + x.mean(1, keepdim=True)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_the_context_stays_as_it_is_and_moves_the_rest(solver: str) -> None:
    x, given = noise(2, 6), noise(2, 2) * 3

    def flowed(context: Tensor | None) -> Tensor:
        return solve(coupled, x, 4, solver, context)  # type: ignore[arg-type]

    assert torch.equal(flowed(given)[:, :2], given)
    assert not torch.allclose(flowed(given)[:, 2:], flowed(-given)[:, 2:])
    assert torch.equal(flowed(None), flowed(x[:, :0]))


def test_the_context_is_there_whenever_the_velocity_is_asked() -> None:
    given = noise(1, 2) * 3

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        assert torch.equal(x[:, :2], given)
        return known(x, t)

    solve(velocity, noise(1, 6), 3, "heun", given)


def test_what_is_said_of_the_context_is_not_learned_from() -> None:
    said = noise(2, 6).requires_grad_()
    context = torch.arange(6).expand(2, -1) < torch.tensor([[2], [0]])
    loss(said, noise(2, 6) + 1, noise(2, 6).flip(0), context).backward()  # type: ignore[no-untyped-call]
    assert said.grad is not None
    assert (said.grad[0, :2] == 0).all() and (said.grad[0, 2:] != 0).all()
    assert (said.grad[1] != 0).all()


def test_the_share_that_is_done_is_told() -> None:
    told: list[float] = []
    tell: Callable[[float], None] = told.append
    solve(known, noise(1), 4, progress=tell)
    assert told == [0.25, 0.5, 0.75, 1.0]
