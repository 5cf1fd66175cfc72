"""Laws of the adaptors (MuVi, section 3.1 and appendix A)."""

import pytest
import torch
from torch import Tensor

from emsync.synchrony.adaptors import ADAPTORS, GROUPS, Adaptor, Attention, Average, Gated, Pooling

CHANNELS, WIDTH, OUT = 6, 8, 5
KINDS = sorted(ADAPTORS)
POOLING = [kind for kind in KINDS if kind != "cls"]


def adaptor(kind: str) -> Adaptor:
    torch.manual_seed(0)
    return ADAPTORS[kind](CHANNELS, WIDTH, OUT).double()


def maps(count: int = 3, height: int = 4, width: int = 6, seed: int = 1) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(count, CHANNELS, height, width, generator=drawn).double()


def cls(count: int = 3) -> Tensor:
    return torch.randn(count, CHANNELS, generator=torch.Generator().manual_seed(2)).double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 7])
def test_each_picture_becomes_one_vector_whatever_the_others_are(kind: str, count: int) -> None:
    found = adaptor(kind)(maps(count), cls(count))
    assert found.shape == (count, OUT)
    alone = adaptor(kind)(maps(count)[-1:], cls(count)[-1:])
    torch.testing.assert_close(found[-1:], alone)


@pytest.mark.parametrize("kind", POOLING)
def test_a_map_whose_patches_are_alike_gives_what_one_of_them_gives(kind: str) -> None:
    one, net = maps(1, 1, 1), adaptor(kind)
    assert isinstance(net, Pooling)
    inside = net.halve(one.expand(1, CHANNELS, 2, 2))[..., 0, 0]
    value = net.value(inside) if isinstance(net, Attention) else inside
    for size in (2, 4, 14):
        found = net(one.expand(1, CHANNELS, size, size), cls(1))
        torch.testing.assert_close(found, net.out(value))


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_weights_of_a_gate_sum_to_one(kind: str) -> None:
    net = adaptor(kind)
    assert isinstance(net, Gated)
    weights = net.weights(10 * torch.randn(3, GROUPS, 9))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(3))


def test_softmax_is_the_mean_of_as_many_weighted_means_as_groups() -> None:
    net = adaptor("softmax")
    assert isinstance(net, Gated)
    x = net.halve(maps())
    weights = net.gate(x).flatten(2).softmax(2)
    means = [(weights[:, None, g] * x.flatten(2)).sum(2) for g in range(GROUPS)]
    torch.testing.assert_close(net.pooled(x, cls()), torch.stack(means).mean(0))


def test_sigmoid_divides_the_mean_of_the_groups_by_that_of_their_weights() -> None:
    net = adaptor("sigmoid")
    assert isinstance(net, Gated)
    x = net.halve(maps())
    weights = net.gate(x).flatten(2).sigmoid()
    sums = torch.stack([(weights[:, None, g] * x.flatten(2)).sum(2) for g in range(GROUPS)])
    torch.testing.assert_close(
        net.pooled(x, cls()), sums.mean(0) / weights.sum(2).mean(1, keepdim=True)
    )


def test_a_gate_that_says_nothing_is_the_average() -> None:
    for kind in ("softmax", "sigmoid"):
        net = adaptor(kind)
        assert isinstance(net, Gated)
        torch.nn.init.zeros_(net.gate.weight)
        average = Average(CHANNELS, WIDTH, OUT).double()
        average.load_state_dict(net.state_dict(), strict=False)
        torch.testing.assert_close(net(maps(), cls()), average(maps(), cls()))


@pytest.mark.parametrize("kind", ["average", "attention", "softmax", "sigmoid"])
def test_where_patches_are_is_of_no_account_but_to_a_gate_that_sees_its_neighbours(
    kind: str,
) -> None:
    net, inside = adaptor(kind), torch.randn(2, WIDTH, 2, 3).double()
    assert isinstance(net, Pooling)
    if isinstance(net, Gated):
        shifted = net.pooled(inside.flip(3), cls(2))
        assert not torch.allclose(net.pooled(inside, cls(2)), shifted)
        net.gate = torch.nn.Conv2d(WIDTH, GROUPS, 1).double()
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    moved = inside.flatten(2)[..., order].reshape(inside.shape)
    torch.testing.assert_close(net.pooled(inside, cls(2)), net.pooled(moved, cls(2)))


def test_heads_ask_each_for_itself() -> None:
    net, x = adaptor("attention"), torch.randn(1, WIDTH, 2, 2).double()
    assert isinstance(net, Attention)
    query, patches = net.query(cls(1))[0], x.flatten(2)[0].T
    size, heads = WIDTH // GROUPS, []
    for g in range(GROUPS):
        part = slice(g * size, (g + 1) * size)
        scores = net.key(patches)[:, part] @ query[part] / size**0.5
        heads.append(scores.softmax(0) @ net.value(patches)[:, part])
    torch.testing.assert_close(net.pooled(x, cls(1))[0], torch.cat(heads))


def test_cls_sees_its_token_alone() -> None:
    net = adaptor("cls")
    torch.testing.assert_close(net(maps(seed=1), cls()), net(maps(seed=2), cls()))


@pytest.mark.parametrize("kind", POOLING)
@pytest.mark.parametrize("size", [(3, 4), (4, 5)])
def test_a_map_that_cannot_be_halved_is_refused(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="both must be even"):
        adaptor(kind)(maps(3, *size), cls())


def test_the_papers_map_is_taken() -> None:
    net = ADAPTORS["softmax"](768, 32, 16)
    assert net(torch.zeros(2, 768, 14, 14), torch.zeros(2, 768)).shape == (2, 16)
