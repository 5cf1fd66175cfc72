"""What decoding on a CPU computes, compiled for the processor at hand.

Decoding waits for memory, so what is read for a token is made small: every weight matrix, and the
cached keys and values, are rows of int8, each with its own scale. A vector that is multiplied with
them is quantized to int16, as finely as the sums fit 32 bits. Integers add up to the same in any
order, so a product does not depend on what is multiplied beside it.

Rows are packed in groups, ROWS of them side by side, two numbers of each at a time:
(.., G, N / 2, ROWS, 2) for G ROWS rows of N numbers. They are read in one stream, and each row has
its own lane in the processor's vectors, where its sum grows.

All of it is in this file, since Numba's cache is valid until the file of a function changes.

Shapes: B pieces, N vectors that are read at once, L the longest piece that fits, and H heads, D
width, K = D / H as in ``emsync.model.transformer``. R' is R rounded up to whole groups of rows, N'
to pairs.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from emsync.model.int8.compiler import compiled, inlined

ROWS = 64  # of a group
AT_ONCE = 16  # numbers of 32 bits in a vector of the processor; wider ones are taken apart
PARTS = ROWS // AT_ONCE
STRETCH = 64  # pairs of numbers, whose rows (8 kB) stay in the nearest cache while they are read
TINY = np.float32(1e-30)  # a vector of nothing larger is quantized to zeros
EPSILON = np.finfo(np.float32).eps  # of PyTorch's rms_norm

Bytes: TypeAlias = NDArray[np.int8]
Shorts: TypeAlias = NDArray[np.int16]
Sums: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
Indices: TypeAlias = NDArray[np.int64]


class QuantizedLinear(NamedTuple):
    """The linear layers of one kind in all blocks: packed rows, their scales, and the bias."""

    rows: Bytes  # (depth, R' / ROWS, N' / 2, ROWS, 2)
    scales: Floats  # (depth, R)
    bias: Floats  # (depth, R)


class QuantizedTransformer(NamedTuple):
    """The blocks and the head of the network."""

    qk_norm: bool  # queries and keys are normalized; if not, 1 / sqrt(K) is in ``qkv``

    qkv: QuantizedLinear
    out: QuantizedLinear
    mlp_in: QuantizedLinear
    mlp_out: QuantizedLinear
    head: QuantizedLinear  # of one layer
    distance: QuantizedLinear  # vectors: row L - 1 - d is for distance d; there is no bias


class KVCache(NamedTuple):
    """The keys and values of the tokens read so far."""

    keys: Bytes  # (depth, B, H, L' / ROWS, K' / 2, ROWS, 2)
    key_scales: Floats  # (depth, B, H, L)
    values: Bytes  # (depth, B, H, K' / ROWS, L' / 2, ROWS, 2), a row for each channel
    value_scales: Floats  # (depth, B, H, L)


class PositionalInputs(NamedTuple):
    """The weights of what is added to each token: its position, and E encoded conditions."""

    positions: Floats  # (L, D - E x S)
    ends: Indices  # (E + 1,) where the channels of each condition begin, and the last ends
    first: Floats  # (E, the most channels, S): a row for each channel
    first_bias: Floats  # (E, S)
    last: Floats  # (E, S, S): a row for each number of the first layer
    last_bias: Floats  # (E, S)
    nulls: Floats  # (E, S): what stands for a condition that is not requested


class AddedInputs(NamedTuple):
    """The weights of A conditions that are encoded over the full width."""

    ends: Indices  # (A + 1,) as in PositionalInputs, of all channels
    first: Floats  # (A, the most channels, D): a row for each channel
    first_bias: Floats  # (A, D)
    last: QuantizedLinear  # of A layers
    nulls: Floats  # (A, D)


class Inputs(NamedTuple):
    """The weights of all that is added to tokens."""

    positional: PositionalInputs
    added: AddedInputs


ALL, EMBED, PROJECT, ATTEND, HEAD = range(5)  # stages of ``compute``

_one, _half = np.float32(1), np.float32(0.5)


@compiled
def quantization_range(numbers: int) -> int:
    """Return the largest magnitude in a vector of ``numbers`` whose dot products fit 32 bits.

    The other vector is int8.

    >>> quantization_range(512), quantization_range(2048)
    (32767, 8256)
    """
    return min(2**15 - 1, (2**31 - 1) // (127 * max(numbers, 1)))


def _vector(bits: int, numbers: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(bits), numbers)


def _fetch(builder: ir.IRBuilder, place: Any) -> None:
    """Ask for what is read soon, so that memory works while the processor does."""
    kind = ir.FunctionType(ir.VoidType(), [place.type, *[ir.IntType(32)] * 3])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
    read, near, data = (ir.Constant(ir.IntType(32), value) for value in (0, 3, 1))
    builder.call(fetch, [place, read, near, data])


def _products_of(vectors: int, parts: int) -> Any:
    """Return the compiled function ``(packed, group, part, x, first, begin, end, out)``.

    It adds to int32 ``out[first : first + vectors]`` the products of ``parts`` parts of a group's
    rows, from ``part`` on, with ``vectors`` rows of int16 ``x`` from ``first`` on, over the pairs
    of numbers from ``begin`` to ``end``. The arrays are C-contiguous. Widening to 32 bits,
    multiplying and adding the two products of a pair is what LLVM knows as one instruction (on x86
    pmaddwd or vpdpwssd).
    """

    @intrinsic
    def of_group(  # long, since it is one loop: LLVM's instructions in the order they run
        typing: Any,
        rows: Any,
        group: Any,
        part: Any,
        x: Any,
        first: Any,
        begin: Any,
        end: Any,
        out: Any,
    ) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, given: Any) -> Any:
            def number(value: int) -> ir.Constant:
                return ir.Constant(ir.IntType(64), value)

            def matrix(at: int, index: Any) -> tuple[Any, Any]:
                """Return where row ``index`` of an array begins, and how far rows are apart."""
                array = context.make_array(signature.args[at])(context, builder, given[at])
                apart = number(1)
                for axis in range(1, signature.args[at].ndim):
                    apart = builder.mul(apart, builder.extract_value(array.shape, axis))
                return builder.gep(array.data, [builder.mul(apart, index)]), apart

            def widened(numbers: Any) -> Any:
                return builder.sext(numbers, _vector(32, 2 * AT_ONCE))

            def pointer(base: Any, offset: Any, kind: Any) -> Any:
                return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

            def picked(numbers: Any, places: list[int]) -> Any:
                return builder.shuffle_vector(
                    numbers, numbers, ir.Constant(_vector(32, len(places)), places)
                )

            (row, _), (vector, apart) = matrix(0, given[1]), matrix(3, given[4])
            base, across = matrix(7, given[4])
            ahead = builder.mul(given[2], number(AT_ONCE))  # rows of the group
            lanes, places, sums = _vector(32, AT_ONCE), [], []
            for k in range(vectors):
                for which in range(parts):
                    column = builder.add(builder.mul(given[1], number(ROWS)), ahead)
                    column = builder.add(column, builder.mul(across, number(k)))
                    column = builder.add(column, number(AT_ONCE * which))
                    places.append(pointer(base, column, lanes))
            known = [builder.load(place, align=4) for place in places]
            before, again, after = builder.block, *(builder.append_basic_block() for _ in range(2))
            builder.branch(again)
            builder.position_at_end(again)
            pair = builder.phi(ir.IntType(64))
            pair.add_incoming(given[5], before)
            for start in known:
                sums.append(builder.phi(lanes))
                sums[-1].add_incoming(start, before)
            weights = []
            for which in range(parts):
                place = builder.add(builder.mul(pair, number(ROWS)), ahead)
                place = builder.mul(builder.add(place, number(AT_ONCE * which)), number(2))
                kind = _vector(8, 2 * AT_ONCE)
                weights.append(widened(builder.load(pointer(row, place, kind), align=1)))
                later = builder.add(place, number(2 * ROWS * STRETCH))
                _fetch(builder, builder.gep(row, [later]))
            for k in range(vectors):
                place = builder.add(builder.mul(pair, number(2)), builder.mul(apart, number(k)))
                both = builder.load(pointer(vector, place, ir.IntType(32)), align=2)
                both = builder.insert_element(ir.Constant(lanes, None), both, number(0))
                both = builder.bitcast(picked(both, [0] * AT_ONCE), _vector(16, 2 * AT_ONCE))
                for which, total in enumerate(sums[parts * k : parts * (k + 1)]):
                    many = builder.mul(weights[which], widened(both))
                    even = picked(many, list(range(0, 2 * AT_ONCE, 2)))
                    odd = picked(many, list(range(1, 2 * AT_ONCE, 2)))
                    total.add_incoming(builder.add(total, builder.add(even, odd)), again)
            further = builder.add(pair, number(1))
            pair.add_incoming(further, again)
            builder.cbranch(builder.icmp_signed("<", further, given[6]), again, after)
            builder.position_at_end(after)
            for place, total in zip(places, sums, strict=True):
                builder.store(total.incomings[1][0], place, align=4)
            return context.get_dummy_value()

        whole = types.int64
        return types.void(rows, whole, whole, x, whole, whole, whole, out), codegen

    return of_group


def _parts_at_once() -> tuple[int, int, int]:
    """Return the parts of a group's rows that two, three and four vectors are multiplied with.

    So many that the sums stay in registers: AVX-512 has 32, others 16 of half the width or less.
    """
    try:
        many = get_host_cpu_features().get("avx512f", False)
    except RuntimeError:  # LLVM does not know the processor
        many = False
    return (PARTS, PARTS, PARTS) if many else (PARTS // 2, 1, 1)


OF_TWO, OF_THREE, OF_FOUR = _parts_at_once()
products1, products2 = _products_of(1, PARTS), _products_of(2, OF_TWO)
products3, products4 = _products_of(3, OF_THREE), _products_of(4, OF_FOUR)


@compiled
def largest(x: Floats) -> np.float32:
    """Return the largest absolute value of (N,) numbers."""
    bits, most = x.view(np.int32), np.int32(0)  # in this order too, and LLVM widens whole numbers
    for i in range(len(bits)):
        most = max(most, bits[i] & np.int32(0x7FFFFFFF))
    return np.int32(most).view(np.float32)


@compiled
def highest(x: Floats) -> np.float32:
    """Return the highest of (N,) numbers."""
    bits, most = x.view(np.int32), np.int32(-(2**31))
    for i in range(len(bits)):  # a whole number that is larger where the float is
        most = max(most, bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return np.int32(most ^ ((most >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)


@compiled
def total(x: Floats) -> np.float32:
    """Return the sum of (N,) numbers, taken in eight lanes: every eighth number in each."""
    a = b = c = d = e = f = g = h = np.float32(0)
    n = len(x) // 8 * 8
    for i in range(0, n, 8):
        a += x[i]
        b += x[i + 1]
        c += x[i + 2]
        d += x[i + 3]
        e += x[i + 4]
        f += x[i + 5]
        g += x[i + 6]
        h += x[i + 7]
    rest = np.float32(0)
    for i in range(n, len(x)):
        rest += x[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest


@compiled
def quantize(x: Floats, limit: int, out: Shorts) -> np.float32:
    """Write (N,) numbers to (N',) integers from -limit to limit, then zeros; return their scale."""
    peak = largest(x)
    steps = np.float32(limit) / peak if peak > TINY else np.float32(0)  # for 1.0
    for i in range(len(x)):
        out[i] = np.int16(np.rint(x[i] * steps))
    for i in range(len(x), len(out)):
        out[i] = 0
    return peak / np.float32(limit)


@compiled
def products(rows: Bytes, first: int, x: Shorts, out: Sums) -> None:
    """Write to (M, R') ``out`` the products of packed rows, from a group on, with (M, N') ``x``.

    Where ``x`` has fewer numbers than the rows, the rest of each row counts as zeros.
    """
    m, pairs = len(x), x.shape[1] // 2
    out[:, first * ROWS :] = 0
    for group in range(first, len(rows)):
        for begin in range(0, pairs, STRETCH):
            end, at = min(begin + STRETCH, pairs), 0
            while m - at >= 4:
                for part in range(0, PARTS, OF_FOUR):
                    products4(rows, group, part, x, at, begin, end, out)
                at += 4
            if m - at == 3:
                for part in range(0, PARTS, OF_THREE):
                    products3(rows, group, part, x, at, begin, end, out)
            elif m - at == 2:
                for part in range(0, PARTS, OF_TWO):
                    products2(rows, group, part, x, at, begin, end, out)
            elif m - at == 1:
                products1(rows, group, 0, x, at, begin, end, out)


@compiled
def exp(x: np.float32) -> np.float32:
    """Return e to the power of a float32 that is 0 at most, within 3e-7 of it."""
    x = max(x, np.float32(-80))
    n = np.rint(x * np.float32(1.4426950408889634))
    r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)  # x - n log 2
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + _half
    p = p * r + _one
    p = p * r + _one
    exponent = (np.int32(n) + np.int32(127)) << np.int32(23)
    return p * np.int32(exponent).view(np.float32)


@compiled
def gelu(x: np.float32) -> np.float32:
    """Return x times the normal distribution function of x (Abramowitz & Stegun 7.1.26)."""
    z = abs(x) * np.float32(0.7071067811865476)
    t = _one / (_one + np.float32(0.3275911) * z)
    tail = np.float32(1.061405429)
    tail = tail * t - np.float32(1.453152027)
    tail = tail * t + np.float32(1.421413741)
    tail = tail * t - np.float32(0.284496736)
    tail = tail * t + np.float32(0.254829592)
    above = _half * tail * t * exp(-z * z)
    return x * (above if x < 0 else _one - above)


@compiled
def layer_norm(x: Floats) -> Floats:
    """Return (N, D) vectors, each of mean 0 and variance 1; gain and bias are in the next layer."""
    n, d = x.shape
    out, squares = np.empty((n, d), np.float32), np.empty(d, np.float32)
    for i in range(n):
        mean = total(x[i]) / np.float32(d)
        for k in range(d):
            squares[k] = (x[i, k] - mean) * (x[i, k] - mean)
        scale = np.float32(1) / np.sqrt(total(squares) / np.float32(d) + np.float32(1e-5))
        for k in range(d):
            out[i, k] = (x[i, k] - mean) * scale
    return out


@inlined
def norm_queries_and_keys(qkv: Floats, k: int) -> None:
    """Divide each head's K queries and keys in (N, 3 D) by their root mean square.

    The queries are divided by sqrt(K) as well, as attention wants it.
    """
    n, columns = qkv.shape
    heads, squares = columns // 3 // k, np.empty(k, np.float32)
    for i in range(n):
        for h in range(2 * heads):
            own = qkv[i, h * k : (h + 1) * k]
            for c in range(k):
                squares[c] = own[c] * own[c]
            scale = _one / np.sqrt(total(squares) / np.float32(k) + EPSILON)
            if h < heads:
                scale /= np.sqrt(np.float32(k))
            for c in range(k):
                own[c] *= scale


@compiled
def apply(matrix: QuantizedLinear, layer: int, x: Floats, out: Floats) -> None:
    """Add the outputs of a linear layer for (N, C) vectors to (N, R) ``out``."""
    (n, c), rows = x.shape, matrix.rows[layer]
    scales, bias = matrix.scales[layer], matrix.bias[layer]
    short, scale = np.empty((n, rows.shape[1] * 2), np.int16), np.empty(n, np.float32)
    for i in range(n):
        scale[i] = quantize(x[i], quantization_range(c), short[i])
    sums = np.empty((n, len(rows) * ROWS), np.int32)
    products(rows, 0, short, sums)
    for i in range(n):
        for r in range(out.shape[1]):
            out[i, r] += np.float32(sums[i, r]) * scales[r] * scale[i] + bias[r]


@inlined
def project_qkv(
    network: QuantizedTransformer,
    cache: KVCache,
    layer: int,
    x: Floats,
    pieces: Indices,
    positions: Indices,
) -> Floats:
    """Return (N, 3 D) queries, keys and values of (N, D) vectors; cache the keys and values."""
    n, d = x.shape
    heads = cache.keys.shape[2]
    k = d // heads
    qkv = np.zeros((n, 3 * d), np.float32)
    apply(network.qkv, layer, layer_norm(x), qkv)
    if network.qk_norm:
        norm_queries_and_keys(qkv, k)
    small = np.empty(k, np.int16)
    for i in range(n):
        piece, at = pieces[i], positions[i]
        for h in range(heads):
            keys, values = cache.keys[layer, piece, h], cache.values[layer, piece, h]
            start = d + h * k
            cache.key_scales[layer, piece, h, at] = quantize(qkv[i, start : start + k], 127, small)
            for c in range(k):
                keys[at // ROWS, c // 2, at % ROWS, c % 2] = small[c]
            start += d
            cache.value_scales[layer, piece, h, at] = quantize(
                qkv[i, start : start + k], 127, small
            )
            for c in range(k):
                values[c // ROWS, at // 2, c % ROWS, at % 2] = small[c]
    return qkv


@inlined
def attend(
    network: QuantizedTransformer,
    cache: KVCache,
    layer: int,
    qkv: Floats,
    piece: int,
    first: int,
    y: Floats,
) -> None:
    """Write the (M, D) causal attention of M queries over the cached keys of a piece to ``y``.

    The queries are the first D columns of (M, 3 D) ``qkv``, at M positions from ``first`` on.
    """
    m, d = y.shape
    heads, longest = cache.key_scales.shape[2:]
    k, seen = d // heads, first + m
    groups, start = (seen + ROWS - 1) // ROWS, longest - seen  # of keys; of the distances
    pairs = cache.keys.shape[4]
    short_queries = np.empty((heads * m, pairs * 2), np.int16)
    query_scales = np.empty(heads * m, np.float32)
    for h in range(heads):
        for i in range(m):
            row = h * m + i
            query_scales[row] = quantize(
                qkv[i, h * k : (h + 1) * k], quantization_range(k), short_queries[row]
            )
    far = np.empty((heads * m, network.distance.rows.shape[1] * ROWS), np.int32)
    products(network.distance.rows[layer], start // ROWS, short_queries, far)
    near = np.empty((m, groups * ROWS), np.int32)
    weights, weight_scales = np.empty(seen, np.float32), np.empty(m, np.float32)
    short_weights = np.empty((m, (seen + 1) // 2 * 2), np.int16)
    sums = np.empty((m, cache.values.shape[3] * ROWS), np.int32)
    distance_scales = network.distance.scales[layer]
    for h in range(heads):
        keys, key_scales = cache.keys[layer, piece, h], cache.key_scales[layer, piece, h]
        values, value_scales = cache.values[layer, piece, h], cache.value_scales[layer, piece, h]
        products(keys[:groups], 0, short_queries[h * m : (h + 1) * m], near)
        for i in range(m):
            row, own = h * m + i, first + i + 1
            here, apart, scale = near[i], far[row, longest - own :], query_scales[row]
            apart_scales = distance_scales[longest - own :]
            for j in range(own):  # over slices: what is counted from their start is vectorized
                a = np.float32(here[j]) * key_scales[j]
                b = np.float32(apart[j]) * apart_scales[j]
                weights[j] = (a + b) * scale
            most = highest(weights[:own])
            for j in range(own):
                weights[j] = exp(weights[j] - most)
            mass = total(weights[:own])
            for j in range(own):
                weights[j] *= value_scales[j]
            step = quantize(weights[:own], quantization_range(longest), short_weights[i])
            weight_scales[i] = step / mass
        products(values, 0, short_weights, sums)
        for i in range(m):
            for c in range(k):
                y[i, h * k + c] = np.float32(sums[i, c]) * weight_scales[i]


@inlined
def attention_and_mlp(
    network: QuantizedTransformer,
    cache: KVCache,
    layer: int,
    x: Floats,
    pieces: Indices,
    positions: Indices,
    qkv: Floats,
) -> None:
    """Add the attention of (N, D) vectors to them, then the output of the feed-forward network."""
    n, d = x.shape
    attended = np.empty((n, d), np.float32)
    i = 0
    while i < n:  # up to four neighbours of one piece attend together
        end = i + 1
        while (
            end < min(n, i + 4)
            and pieces[end] == pieces[i]
            and positions[end] == positions[end - 1] + 1
        ):
            end += 1
        attend(network, cache, layer, qkv[i:end], pieces[i], positions[i], attended[i:end])
        i = end
    apply(network.out, layer, attended, x)
    wide = np.zeros((n, network.mlp_in.bias.shape[1]), np.float32)
    apply(network.mlp_in, layer, layer_norm(x), wide)
    for i in range(n):
        for k in range(wide.shape[1]):
            wide[i, k] = gelu(wide[i, k])
    apply(network.mlp_out, layer, wide, x)


@inlined
def lm_head(network: QuantizedTransformer, x: Floats) -> Floats:
    """Return the (N, V) logits of the next token from (N, D) outputs of the last block."""
    logits = np.zeros((len(x), network.head.bias.shape[1]), np.float32)
    apply(network.head, len(network.head.rows) - 1, layer_norm(x), logits)
    return logits


@inlined
def add_positions(inputs: PositionalInputs, rows: Floats, positions: Indices, x: Floats) -> None:
    """Add the learned positions and the E conditions of (N, channels) rows to (N, D) vectors."""
    encoders, share = inputs.nulls.shape
    learned = inputs.positions.shape[1]
    hidden, encoded = np.empty(share, np.float32), np.empty(share, np.float32)
    for i in range(len(x)):
        for k in range(learned):
            x[i, k] += inputs.positions[positions[i], k]
        for e in range(encoders):
            first, end, at = inputs.ends[e], inputs.ends[e + 1], learned + e * share
            missing = False
            for c in range(first, end):
                missing |= np.isnan(rows[i, c])
            for k in range(share):
                hidden[k] = inputs.first_bias[e, k]
            for c in range(first, end):
                for k in range(share):
                    hidden[k] += inputs.first[e, c - first, k] * rows[i, c]
            for k in range(share):
                hidden[k] = gelu(hidden[k])
                encoded[k] = inputs.last_bias[e, k]
            for c in range(share):
                for k in range(share):
                    encoded[k] += inputs.last[e, c, k] * hidden[c]
            for k in range(share):
                x[i, at + k] += inputs.nulls[e, k] if missing else encoded[k]


@inlined
def add_conditions(inputs: AddedInputs, rows: Floats, x: Floats) -> None:
    """Add the A conditions of (N, channels) rows to (N, D) vectors."""
    n, d = x.shape
    asked, hidden = np.empty(n, np.int64), np.empty((n, d), np.float32)
    for a in range(len(inputs.nulls)):
        first, end, m = inputs.ends[a], inputs.ends[a + 1], 0
        for i in range(n):
            missing = False
            for c in range(first, end):
                missing |= np.isnan(rows[i, c])
            if missing:
                for k in range(d):
                    x[i, k] += inputs.nulls[a, k]
                continue
            for k in range(d):
                hidden[m, k] = inputs.first_bias[a, k]
            for c in range(first, end):
                for k in range(d):
                    hidden[m, k] += inputs.first[a, c - first, k] * rows[i, c]
            for k in range(d):
                hidden[m, k] = gelu(hidden[m, k])
            asked[m] = i
            m += 1
        encoded = np.zeros((m, d), np.float32)
        apply(inputs.last, a, hidden[:m], encoded)
        for j in range(m):
            for k in range(d):
                x[asked[j], k] += encoded[j, k]


@compiled
def compute(
    network: QuantizedTransformer,
    cache: KVCache,
    inputs: Inputs,
    stage: int,
    layer: int,
    rows: Floats,
    x: Floats,
    pieces: Indices,
    positions: Indices,
    qkv: Floats,
) -> Floats:
    """Do a stage of reading (N, D) tokens, those of a piece in a row; or all of them.

    EMBED adds to ``x`` what is added to tokens, by (N, channels) ``rows`` of features. PROJECT
    returns the ``qkv`` of a layer, with which ATTEND goes on there. HEAD, and ALL, return the
    (N, V) logits after each token. It is one function, since what each calls is compiled into it.
    """
    if stage in (ALL, EMBED):
        add_positions(inputs.positional, rows, positions, x)
        add_conditions(inputs.added, rows, x)
    first, end = (0, len(network.qkv.rows)) if stage == ALL else (layer, layer + 1)
    if stage in (ALL, PROJECT, ATTEND):
        for at in range(first, end):
            if stage != ATTEND:
                qkv = project_qkv(network, cache, at, x, pieces, positions)
            if stage != PROJECT:
                attention_and_mlp(network, cache, at, x, pieces, positions, qkv)
    if stage in (ALL, HEAD):
        return lm_head(network, x)
    return qkv
