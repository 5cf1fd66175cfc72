"""Relative attention that skews inside its tiles, in Triton: no (N, N) matrix is kept.

A tile is BLOCK queries by BLOCK keys. In tile t to the left of the diagonal, query a stands
t * BLOCK + a - b positions after key b. So with P_t[a, c], the product of query a and the vector of
distance t * BLOCK + c, distances add to the scores

    X[a, (a - b) mod BLOCK], where X[a, c] is P_t[a, c] for c <= a and P_{t-1}[a, c] for c > a:

each row is turned about itself. That is its own inverse, and takes the gradients back. Along a row
of tiles each P is computed once, as two of them need it. Else it is FlashAttention-2 (Dao 2023).
Every sum has one order, so the same inputs give the same bits.

Shapes: B batch, H heads, N positions, K width of a head. Row N - 1 - d of the distances is for d.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 64  # queries, keys or distances of a tile
PROGRAMS = 512  # of the way back to the queries, at least, where there are so many tiles

jit: Callable[[Callable[..., Any]], Any] = triton.jit


@jit
def _place(start, rows, count, width: tl.constexpr, columns: tl.constexpr):
    """Return pointers to some rows of a (count, width) matrix, and what of them is in it."""
    column = tl.arange(0, columns)[None, :]
    inside = (rows >= 0)[:, None] & (rows < count)[:, None] & (column < width)
    return start + rows[:, None] * width + column, inside


@jit
def _load(start, rows, count, width: tl.constexpr, columns: tl.constexpr):
    """Return (BLOCK, columns) rows of a (count, width) matrix; what is not in it is 0."""
    pointers, inside = _place(start, rows, count, width, columns)
    return tl.load(pointers, inside, 0.0)


@jit
def _store(start, rows, values, count, width: tl.constexpr, columns: tl.constexpr):
    """Write (BLOCK, columns) rows into a (count, width) matrix."""
    pointers, inside = _place(start, rows, count, width, columns)
    tl.store(pointers, values.to(start.dtype.element_ty), inside)


@jit
def _product(a, b):
    """Return a @ b in float32; tensor cores take a float32 in three parts, so that none is lost."""
    return tl.dot(a, b, input_precision="tf32x3")


@jit
def _grid(block: tl.constexpr):
    """Return the rows and the columns of a tile, as (block, 1) and (1, block)."""
    return tl.arange(0, block)[:, None], tl.arange(0, block)[None, :]


@jit
def _turned(x, block: tl.constexpr):
    """Return the (block, block) tile whose row a, column b is x[a, (a - b) mod block]."""
    a, b = _grid(block)
    return tl.gather(x, (a - b) & (block - 1), 1)


@jit
def _scores(q, k, far, near, t, block: tl.constexpr):
    """Return the scores of tile t, of the products of its queries with both blocks of distances."""
    a, b = _grid(block)
    scores = _product(q, tl.trans(k)) + _turned(tl.where(b <= a, far, near), block)
    return tl.where((t > 0) | (b <= a), scores, float("-inf"))


@jit
def _forward(
    q_at,
    k_at,
    v_at,
    distance_at,
    y_at,
    total_at,
    n,
    width: tl.constexpr,
    columns: tl.constexpr,
    block: tl.constexpr,
):
    """Attend with a block of queries; write the output and the logarithm of the sums of weights."""
    tiles = tl.cdiv(n, block)
    head, tile = tl.program_id(0).to(tl.int64), tiles - 1 - tl.program_id(1)  # the longest first
    matrix, own = head * n * width, tl.arange(0, block)
    rows = tile * block + own
    q = _load(q_at + matrix, rows, n, width, columns)
    near = tl.zeros([block, block], tl.float32)
    highest = tl.full([block], float("-inf"), tl.float32)
    total = tl.zeros([block], tl.float32)
    y = tl.zeros([block, columns], tl.float32)
    for t in range(0, tile + 1):
        k = _load(k_at + matrix, rows - t * block, n, width, columns)
        v = _load(v_at + matrix, rows - t * block, n, width, columns)
        distance = _load(distance_at, n - 1 - t * block - own, n, width, columns)
        far = _product(q, tl.trans(distance))
        scores = _scores(q, k, far, near, t, block)
        now = tl.maximum(highest, tl.max(scores, 1))
        weights, shrunk = tl.exp(scores - now[:, None]), tl.exp(highest - now)
        total = total * shrunk + tl.sum(weights, 1)
        y = y * shrunk[:, None] + _product(weights.to(v.dtype), v)
        highest, near = now, far
    _store(y_at + matrix, rows, y / total[:, None], n, width, columns)
    tl.store(total_at + head * n + rows, highest + tl.log(total), rows < n)


@jit
def _gradients(q, k, v, dy, total, delta, far, near, t, block: tl.constexpr):
    """Return the weights of tile t, and the gradients of its scores."""
    weights = tl.exp(_scores(q, k, far, near, t, block) - total[:, None])
    return weights, weights * (_product(dy, tl.trans(v)) - delta[:, None])


@jit
def _backward_queries(
    q_at,
    k_at,
    v_at,
    distance_at,
    dy_at,
    total_at,
    delta_at,
    dq_at,
    ddistance_at,
    n,
    width: tl.constexpr,
    columns: tl.constexpr,
    block: tl.constexpr,
):
    """Write the gradients of every so many-th block of queries; add up those of the distances."""
    head, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    matrix, own = head * n * width, tl.arange(0, block)
    ddistance_at += (head * parts + part) * n * width
    a, c = _grid(block)
    for tile in range(part, tl.cdiv(n, block), parts):
        rows = tile * block + own
        q = _load(q_at + matrix, rows, n, width, columns)
        dy = _load(dy_at + matrix, rows, n, width, columns)
        total = tl.load(total_at + head * n + rows, rows < n, 0.0)
        delta = tl.load(delta_at + head * n + rows, rows < n, 0.0)
        distance = _load(distance_at, n - 1 - tile * block - own, n, width, columns)
        far = _product(q, tl.trans(distance))
        beyond = tl.zeros([block, block], q.dtype)  # gradients of the tile to the left, turned
        dq = tl.zeros([block, columns], tl.float32)
        for left in range(0, tile + 1):
            t = tile - left
            k = _load(k_at + matrix, left * block + own, n, width, columns)
            v = _load(v_at + matrix, left * block + own, n, width, columns)
            nearer = _load(distance_at, n - 1 - (t - 1) * block - own, n, width, columns)
            near = _product(q, tl.trans(nearer))
            _, ds = _gradients(q, k, v, dy, total, delta, far, near, t, block)
            ds = ds.to(q.dtype)
            turned = _turned(ds, block)
            dfar = tl.where(c <= a, turned, beyond)  # all that P_t has
            dq += _product(ds, k) + _product(dfar, distance)
            pointers, inside = _place(ddistance_at, n - 1 - t * block - own, n, width, columns)
            # no other program adds here, so that the order is that of the loop
            tl.atomic_add(pointers, _product(tl.trans(dfar), q), inside, sem="relaxed")
            distance, far, beyond = nearer, near, turned
        _store(dq_at + matrix, rows, dq, n, width, columns)


@jit
def _backward_keys(
    q_at,
    k_at,
    v_at,
    distance_at,
    dy_at,
    total_at,
    delta_at,
    dk_at,
    dv_at,
    n,
    width: tl.constexpr,
    columns: tl.constexpr,
    block: tl.constexpr,
):
    """Write the gradients of a block of keys and of its values."""
    head, tile = tl.program_id(0).to(tl.int64), tl.program_id(1)
    matrix, own = head * n * width, tl.arange(0, block)
    rows = tile * block + own
    k = _load(k_at + matrix, rows, n, width, columns)
    v = _load(v_at + matrix, rows, n, width, columns)
    dk = tl.zeros([block, columns], tl.float32)
    dv = tl.zeros([block, columns], tl.float32)
    nearer = tl.zeros([block, columns], k.dtype)
    for t in range(0, tl.cdiv(n, block) - tile):
        later = rows + t * block
        q = _load(q_at + matrix, later, n, width, columns)
        dy = _load(dy_at + matrix, later, n, width, columns)
        total = tl.load(total_at + head * n + later, later < n, 0.0)
        delta = tl.load(delta_at + head * n + later, later < n, 0.0)
        distance = _load(distance_at, n - 1 - t * block - own, n, width, columns)
        far, near = _product(q, tl.trans(distance)), _product(q, tl.trans(nearer))
        weights, ds = _gradients(q, k, v, dy, total, delta, far, near, t, block)
        dv += _product(tl.trans(weights.to(dy.dtype)), dy)
        dk += _product(tl.trans(ds.to(q.dtype)), q)
        nearer = distance
    _store(dk_at + matrix, rows, dk, n, width, columns)
    _store(dv_at + matrix, rows, dv, n, width, columns)


def _shape(q: Tensor) -> tuple[int, int, dict[str, int]]:
    """Return B * H, the tiles along N, and the sizes that the kernels are compiled for."""
    b, h, n, width = q.shape
    columns = max(16, triton.next_power_of_2(width))  # of a tile; tensor cores want 16
    return b * h, triton.cdiv(n, BLOCK), {"width": width, "columns": columns, "block": BLOCK}


@torch.library.custom_op("emsync::skewed_attention", mutates_args=())
def attend(q: Tensor, k: Tensor, v: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """Return (B, H, N, K) causal attention, and the (B, H, N) logarithms of the sums of weights.

    ``q``, scaled, ``k`` and ``v`` (B, H, N, K), ``distance`` (N, K), all of one dtype.
    """
    q, k, v = (x.contiguous() for x in (q, k, v))
    heads, tiles, sizes = _shape(q)
    y, total = torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)
    _forward[heads, tiles](q, k, v, distance, y, total, q.shape[2], **sizes)
    return y, total


@torch.library.custom_op("emsync::skewed_attention_backward", mutates_args=())
def _backward(
    q: Tensor, k: Tensor, v: Tensor, distance: Tensor, y: Tensor, total: Tensor, dy: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of queries, keys, values and distances."""
    q, k, v, dy = (x.contiguous() for x in (q, k, v, dy))
    heads, tiles, sizes = _shape(q)
    delta = (dy.float() * y.float()).sum(-1)  # (B, H, N)
    dq, dk, dv = (torch.empty_like(q) for _ in range(3))
    parts = min(tiles, max(1, PROGRAMS // heads))
    ddistance = q.new_zeros(heads * parts, *distance.shape, dtype=torch.float32)
    read, n = (q, k, v, distance, dy, total, delta), q.shape[2]
    _backward_queries[heads, parts](*read, dq, ddistance, n, **sizes)
    _backward_keys[heads, tiles](*read, dk, dv, n, **sizes)
    return dq, dk, dv, ddistance.sum(0).to(distance.dtype)


@attend.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), q.new_empty(q.shape[:3], dtype=torch.float32)


@_backward.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, distance: Tensor, y: Tensor, total: Tensor, dy: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dq, dk, dv = (q.new_empty(q.shape) for _ in range(3))
    return dq, dk, dv, distance.new_empty(distance.shape)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def _differentiate(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor, ...]:
    return _backward(*ctx.saved_tensors, dy)


attend.register_autograd(_differentiate, setup_context=_keep)
