"""Integer products, against the plain sums they stand for."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emsync.model.int8 import kernels
from emsync.model.int8.compiler import compiled
from emsync.model.int8.decoder import packed, padded
from emsync.model.int8.quantize import quantized

SIZES = st.integers(1, 300)
SETTINGS = settings(max_examples=60, deadline=None)  # the first example compiles


@given(SIZES, SIZES, st.integers(1, 11), st.integers(0, 2**32 - 1))
@SETTINGS
def test_products_are_exact(rows: int, numbers: int, vectors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    most = kernels.quantization_range(numbers)
    table = rng.choice([-127, 127, 1, 0, -90], (rows, numbers)).astype(np.int8)
    x = np.zeros((vectors, padded(numbers, 2)), np.int16)
    x[:, :numbers] = rng.choice([-most, most, 1, 0, most // 3], (vectors, numbers))
    out = np.zeros((vectors, padded(rows, kernels.ROWS)), np.int32)
    kernels.products(packed(torch.from_numpy(table)), 0, x, out)
    expected = x[:, :numbers].astype(np.int64) @ table.T.astype(np.int64)
    assert np.array_equal(out[:, :rows], expected)
    assert not out[:, rows:].any()


def test_products_from_a_group_on_leave_what_is_before() -> None:
    table = np.ones((2 * kernels.ROWS, 4), np.int8)
    out = np.full((1, 2 * kernels.ROWS), 7, np.int32)
    kernels.products(packed(torch.from_numpy(table)), 1, np.full((1, 4), 5, np.int16), out)
    assert (out[0, : kernels.ROWS] == 7).all() and (out[0, kernels.ROWS :] == 20).all()


@pytest.mark.parametrize("numbers", [1, 64, 512, 513, 2048, 100_000])
def test_the_quantization_range_is_the_largest_that_32_bits_hold(numbers: int) -> None:
    most = kernels.quantization_range(numbers)
    assert most * 127 * numbers < 2**31
    assert most == 2**15 - 1 or (most + 1) * 127 * numbers >= 2**31


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=100))
@example([4598.46875, 7530.78515625])
@SETTINGS
def test_a_vector_is_quantized_within_half_a_step_and_zeros_follow(numbers: list[float]) -> None:
    x = np.array(numbers, np.float32)
    out = np.full(len(x) + 3, 9, np.int16)
    scale = kernels.quantize(x, 4095, out)
    assert not out[len(x) :].any()
    half = 0.5 + 4095 * 3 * 2.0**-24  # of 1 / scale, of the product, and of scale: each rounded
    assert (np.abs(out[: len(x)] * np.float64(scale) - x) <= half * scale + 1e-30).all()
    assert kernels.largest(x) == np.abs(x).max() and kernels.highest(x) == x.max()


def test_rows_are_quantized_within_half_a_step() -> None:
    rows = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    rows[2] = 0
    small, scales = quantized(rows)
    error = (small * scales[:, None] - rows).abs()
    assert (error <= 0.5001 * scales[:, None]).all()
    assert not small[2].any()


def test_the_exponential_and_gelu_are_right() -> None:
    for x in np.linspace(-79, 0, 500, dtype=np.float32):
        assert kernels.exp(x) == pytest.approx(math.exp(x), rel=5e-7)
    assert kernels.exp(np.float32(0)) == 1 and 0 <= kernels.exp(np.float32(-1e6)) < 1e-34
    for x in np.linspace(-9, 9, 500, dtype=np.float32):
        share = 0.5 * math.erfc(-x / math.sqrt(2))
        assert kernels.gelu(x) == pytest.approx(x * share, abs=1e-6)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("size", [1, 5, 64])
def test_queries_and_keys_are_normed_as_pytorch_does_and_queries_divided(
    heads: int, size: int
) -> None:
    chance = torch.Generator().manual_seed(size)
    before = torch.randn(4, 3, heads, size, generator=chance)
    before *= torch.tensor([1e-4, 1.0, 0.0, 1e6])[:, None, None, None]
    after = before.reshape(4, -1).numpy().copy()
    kernels.norm_queries_and_keys(after, size)
    q, k, v = torch.from_numpy(after).view(before.shape).unbind(1)
    wanted = torch.nn.functional.rms_norm(before, (size,))
    torch.testing.assert_close(q, wanted[:, 0] / math.sqrt(size))
    torch.testing.assert_close(k, wanted[:, 1])
    assert torch.equal(v, before[:, 2])


def test_what_cannot_be_cached_is_compiled_all_the_same() -> None:
    made: dict[str, Callable[[int], int]] = {}
    exec("def twice(x):\n    return 2 * x", made)  # of no file, so there is no place beside it
    assert compiled(made["twice"])(21) == 42


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=0, max_size=100))
@SETTINGS
def test_a_sum_is_taken_in_eight_lanes_whatever_compiled_it(numbers: list[float]) -> None:
    x = np.array(numbers, np.float32)
    lanes, many = np.zeros(8, np.float32), len(x) // 8 * 8
    for row in x[:many].reshape(-1, 8):
        lanes += row
    a, b, c, d = lanes[::2] + lanes[1::2]
    rest = np.float32(0)
    for number in x[many:]:
        rest += number
    assert kernels.total(x) == ((a + b) + (c + d)) + rest
