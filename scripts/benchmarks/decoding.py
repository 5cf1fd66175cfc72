"""Tokens a second: against other decoders, against the memory's own speed, and on a GPU."""

import copy
from typing import Any

import torch

from benchmarks.measuring import best
from benchmarks.networks import READ, features, step_seconds
from emsync.model.int8.decoder import QuantizedDecoder
from emsync.model.static_decoder import StaticDecoder
from emsync.model.transformer import Decoder, EventTransformer

CANDIDATES = 8  # decoded in one batch
GPU_BATCH = 64  # pieces that a GPU decodes at once
SUMMED = 512 * 2**20  # bytes, to measure how fast memory is read: far more than its caches hold


@torch.inference_mode()
def decoding(model: EventTransformer) -> dict[str, Any]:
    """Return tokens a second against several baselines, and against the memory's own speed."""
    ids = torch.randint(model.config.vocab_size, (1, READ))
    whole = best(lambda: model(ids, features(model, READ)), 3)
    plain = step_seconds(Decoder(model, 1), 1)
    gpt2 = transformers_seconds(model)
    decoder = QuantizedDecoder(model, 1)
    one, many = (
        step_seconds(decoder, 1),
        step_seconds(QuantizedDecoder(model, CANDIDATES), CANDIDATES),
    )
    numbers = torch.ones(SUMMED // 4)
    bandwidth, (shared, own) = SUMMED / best(lambda: numbers.sum(), 7), bytes_read(decoder)
    read = shared + own
    return {
        "weights": "random",
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": READ,
        "tokens_per_second": 1 / one,
        "baseline without cache, tokens_per_second": 1 / whole,
        "ratio to no cache": whole / one,
        "baseline plain decoder, float32, tokens_per_second": 1 / plain,
        "baseline transformers GPT-2, float32, tokens_per_second": 1 / gpt2,
        "ratio to transformers GPT-2": gpt2 / one,
        "batch": CANDIDATES,
        "batch, tokens_per_second": CANDIDATES / many,
        "ratio of batch to one": CANDIDATES * one / many,
        "ratio of what is read for as many alone": CANDIDATES * read / (shared + CANDIDATES * own),
        "bytes read for a token": read,
        "read bandwidth, GB_per_second": bandwidth / 1e9,
        "share of the memory roofline": read / bandwidth / one,
    }


def transformers_seconds(model: EventTransformer) -> float:
    """Return the seconds of a step of transformers' GPT-2 of the same shape, with its cache."""
    c, gpt2 = model.config, gpt2_of(model)
    ids = torch.randint(c.vocab_size, (1, READ))
    past = gpt2(ids, use_cache=True).past_key_values  # grows by a token in each step, as ours does
    return best(lambda: gpt2(ids[:, :1], past_key_values=past, use_cache=True), 20)


def gpt2_of(model: EventTransformer) -> Any:
    """Return transformers' GPT-2 of the same shape, where ``model`` is."""
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.config
    shape = GPT2Config(
        vocab_size=c.vocab_size, n_positions=c.context, n_embd=c.width, n_layer=c.depth,
        n_head=c.heads, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(shape).train(False).to(model.head.weight.device)


def bytes_read(decoder: QuantizedDecoder) -> tuple[int, int]:
    """Return the bytes that the next step reads: for all pieces once, and for the pieces' past."""
    network, cache = decoder.network, decoder.cache
    share = float(decoder.lengths[0]) / decoder.model.longest
    blocks = (network.qkv, network.out, network.mlp_in, network.mlp_out)
    matrices = (*blocks, network.head, decoder.inputs.added.last)
    weights = sum(part.nbytes for matrix in matrices for part in matrix)
    distance = share * (network.distance.rows.nbytes + network.distance.scales.nbytes)
    return weights + int(distance), int(share * sum(part.nbytes for part in cache))


def on_gpu(model: EventTransformer) -> dict[str, Any]:
    """Return what decoding GPU_BATCH pieces on a GPU takes, or that there is none."""
    if not torch.cuda.is_available():
        return {"skipped": "PyTorch finds no CUDA GPU here"}
    return {
        "device": torch.cuda.get_device_name(),
        **decoding_at_once(copy.deepcopy(model).to("cuda"), GPU_BATCH),
    }


def decoding_at_once(model: EventTransformer, batch: int) -> dict[str, Any]:
    """Return tokens a second of many pieces in one batch, where ``model`` is, and baselines."""
    ours = step_seconds(StaticDecoder(model, batch), batch)
    plain = step_seconds(Decoder(model, batch), batch)
    gpt2 = static_gpt2_seconds(model, batch)
    return {
        "weights": "random, float32",
        "batch": batch,
        "context": min(READ, model.config.context * 4 // 5),
        "tokens_per_second": batch / ours,
        "baseline plain decoder, tokens_per_second": batch / plain,
        "ratio to plain decoder": plain / ours,
        "baseline transformers GPT-2, static cache, tokens_per_second": batch / gpt2,
        "ratio to transformers GPT-2": gpt2 / ours,
    }


@torch.inference_mode()
def static_gpt2_seconds(model: EventTransformer, batch: int) -> float:
    """Return the seconds of a step of transformers' GPT-2 with a cache of fixed size.

    On a GPU it is compiled into CUDA graphs, and its logits go to the CPU, as ours do.
    """
    from transformers import StaticCache

    gpt2, device = gpt2_of(model), model.head.weight.device
    past = StaticCache(config=gpt2.config, max_cache_len=model.config.context)
    read = min(READ, model.config.context * 4 // 5)
    ids = torch.randint(model.config.vocab_size, (batch, read), device=device)
    gpt2(ids, past_key_values=past, use_cache=True)
    foretell = torch.compile(gpt2, mode="reduce-overhead") if device.type == "cuda" else gpt2

    def step() -> None:
        foretell(ids[:, :1], past_key_values=past, use_cache=True).logits.float().cpu()

    for _ in range(3):  # while it compiles
        step()
    return best(step, 20)
