"""Laws of what columns become as tokens: scales, and principal components, that are fitted."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from emsync.retrieval.reader import MOST, Reader

RNG = np.random.default_rng(0)
WIDE = [
    (3 + RNG.normal(size=(50, 200)) * np.geomspace(0.1, 30, 200)).astype(np.float16)
    for _ in range(20)
]
NARROW = [(RNG.normal(size=(50, 3)) * (2, 5, 0) + 7).astype(np.float32) for _ in range(20)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def fitted() -> Reader:
    reader = Reader({"wide": 200, "narrow": 3})
    reader.fit({"wide": WIDE, "narrow": NARROW})
    return reader


def test_tokens_are_the_columns_side_by_side_and_as_long_as_the_shortest() -> None:
    reader = fitted()
    tokens = reader({"wide": WIDE[0], "narrow": NARROW[0][:9], "other": np.zeros(2)})
    assert tokens.shape == (9, reader.width) == (9, MOST + 3)


def test_each_number_of_a_narrow_column_has_the_mean_0_and_the_sd_1_and_a_constant_is_0() -> None:
    tokens = torch.cat(
        [fitted()({"wide": w, "narrow": n}) for w, n in zip(WIDE, NARROW, strict=True)]
    )
    narrow = tokens[:, MOST:].double()
    torch.testing.assert_close(narrow.mean(0), torch.zeros(3).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(narrow.std(0, correction=0), torch.tensor([1.0, 1, 0]).double())


def test_of_a_wide_column_there_are_the_principal_components_at_one_scale() -> None:
    rows = np.concatenate(WIDE).astype(np.float64)
    tokens = fitted()({"wide": np.concatenate(WIDE), "narrow": np.concatenate(NARROW)})
    found = tokens[:, :MOST].double().numpy()
    spread = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:MOST] / np.sqrt(len(rows))
    wanted = spread / np.sqrt(np.square(spread).mean())
    assert found.std(axis=0) == pytest.approx(wanted, rel=1e-3)
    products = found.T @ found / len(rows)
    assert np.abs(products - np.diag(np.diag(products))).max() < 1e-3


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    states = []
    for count in (1, 2):
        torch.set_num_threads(count)
        states.append(fitted().state_dict())
        assert torch.get_num_threads() == count
    assert all(value.equal(states[1][name]) for name, value in states[0].items())
