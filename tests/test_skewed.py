"""Attention that skews inside its tiles, against a softmax over the whole matrix in float64.

On a machine without a GPU the kernels run in Triton's interpreter.
"""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from emsync.model.transformer import skew

skewed = pytest.importorskip("emsync.model.skewed", exc_type=ImportError)  # needs Triton

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

# Compiles the kernels for a GPU that need not be there; prints whether its tensor cores multiply.
COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from emsync.model import skewed
sizes = {"width": 64, "columns": 64, "block": 64}
for kernel in (skewed._forward, skewed._backward_queries, skewed._backward_keys):
    floats = {"total_at", "delta_at", "ddistance_at"}
    kinds = {name: "*fp32" if name in floats else "*bf16" for name in kernel.arg_names}
    kinds |= {"n": "i32", **dict.fromkeys(sizes, "constexpr")}
    made = compile(ASTSource(kernel, kinds, sizes), GPUTarget("cuda", 90, 32))
    print("wgmma" in made.asm["ptx"])
"""


def plain(q: Tensor, k: Tensor, v: Tensor, distance: Tensor) -> Tensor:
    n = q.shape[2]
    scores = q @ k.mT + skew(q @ distance.mT)
    future = torch.ones(n, n, dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1) @ v


def inputs(n: int, heads: int, width: int) -> list[Tensor]:
    chance = torch.Generator().manual_seed(n)
    shapes = [(2, heads, n, width)] * 3 + [(n, width)]
    return [torch.randn(shape, generator=chance).to(DEVICE).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(
    ("n", "heads", "width", "programs"),
    [(1, 1, 16, 512), (17, 1, 20, 512), (32, 1, 16, 1), (37, 2, 5, 1), (37, 2, 5, 512)],
)
def test_it_equals_the_whole_matrix_forwards_and_backwards(
    n: int, heads: int, width: int, programs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skewed, "BLOCK", 16)
    monkeypatch.setattr(skewed, "PROGRAMS", programs)
    given = inputs(n, heads, width)
    exact = [x.detach().double().requires_grad_() for x in given]
    ours, whole = skewed.attend(*given)[0], plain(*exact)
    wanted = torch.randn_like(ours)
    found = [ours, *torch.autograd.grad((ours * wanted).sum(), given)]
    right = [whole, *torch.autograd.grad((whole * wanted.double()).sum(), exact)]
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-5)


def test_half_precision_and_views_of_other_strides_are_read_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(skewed, "BLOCK", 16)
    half = torch.bfloat16 if DEVICE == "cuda" else torch.float16  # the interpreter has no bfloat16
    *rows, distance = (x.detach().to(half) for x in inputs(37, 2, 16))
    together = torch.stack(rows, 2).permute(0, 3, 2, 1, 4).contiguous()  # (B, N, 3, H, K)
    found = skewed.attend(*together.permute(2, 0, 3, 1, 4), distance)[0]
    right = plain(*(x.double() for x in (*rows, distance)))
    torch.testing.assert_close(found.double(), right, rtol=0.02, atol=0.02)


def test_it_is_an_operator_that_pytorch_can_trace_and_differentiate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(skewed, "BLOCK", 16)
    torch.library.opcheck(skewed.attend, tuple(inputs(5, 1, 16)))


@pytest.mark.slow
def test_the_kernels_compile_for_a_gpu_s_tensor_cores() -> None:
    told = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE]
    run = subprocess.run(command, env=told, capture_output=True, text=True)
    assert run.stdout.split() == ["True"] * 3, run.stderr
