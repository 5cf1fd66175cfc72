"""Laws of the networks of two towers: what embeds a part is that part alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from retrieval_toys import batch, pair, system

from emsync.errors import UsageError
from emsync.retrieval.network import Parts
from emsync.retrieval.of_vm_net import OfVmNet, OfVmNetShape, sinusoids
from emsync.retrieval.vm_net import mean_and_spread

PAIRS = [pair(seed) for seed in range(8)]
both = pytest.mark.parametrize("name", ["vm-net", "of-vm-net"])


def rows(count: int, length: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(count)
    lengths = rng.integers(length // 2, length + 1, count)
    return [torch.from_numpy(rng.normal(size=(n, 60)).astype(np.float32)) for n in lengths]


@both
def test_embeddings_have_length_1(name: str) -> None:
    made = system(name, PAIRS)
    film, music = PAIRS[0]
    parts = made.film_parts(film)
    for embedded in (made.embed_film(film, parts), made.embed_music(music, parts)):
        assert embedded.shape[0] == len(parts)
        assert np.linalg.norm(embedded, axis=1) == pytest.approx(1, abs=1e-5)


@both
@torch.inference_mode()
def test_padding_and_company_change_nothing(name: str) -> None:
    network = system(name, PAIRS).network.eval()
    parts = Parts.of(rows(5, 20))
    found = network.film(parts)
    longer = Parts(
        torch.nn.functional.pad(parts.tokens, (0, 0, 0, 9), value=7.0),
        torch.nn.functional.pad(parts.real, (0, 9)),
    )
    assert torch.allclose(network.film(longer), found, atol=1e-5)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(
        network.film(Parts(parts.tokens[order], parts.real[order])), found[order], atol=1e-5
    )
    alone = [network.film(Parts.of([row]))[0] for row in rows(5, 20)]
    assert torch.allclose(torch.stack(alone), found, atol=1e-5)


@both
def test_a_part_does_not_see_its_neighbours(name: str) -> None:
    made = system(name, PAIRS)
    film, _ = pair(1, 40)
    other = {column: values.copy() for column, values in film.items()}
    other["motion"][20:] += 5
    first, second = (made.embed_film(one, [(0, 20), (20, 40)]) for one in (film, other))
    assert first[0] == pytest.approx(second[0], abs=1e-6)
    assert np.abs(first[1] - second[1]).max() > 1e-3


def test_positions_matter_to_a_transformer_and_not_to_a_mean() -> None:
    film, _ = PAIRS[0]
    turned = {column: values[::-1].copy() for column, values in film.items()}
    for name, same in (("vm-net", True), ("of-vm-net", False)):
        made = system(name, PAIRS)
        change = np.abs(made.embed_film(film, [(0, 28)]) - made.embed_film(turned, [(0, 28)])).max()
        assert (change < 1e-5) == same


def test_the_mean_and_the_spread_are_those_of_real_tokens() -> None:
    parts = rows(3, 9)
    wanted = [torch.cat([row.mean(0), row.std(0, correction=0)]) for row in parts]
    assert torch.allclose(mean_and_spread(Parts.of(parts)), torch.stack(wanted), atol=1e-4)


def test_sinusoids_are_those_of_the_formula() -> None:
    found = sinusoids(5, 6)
    for at in range(5):
        for i in range(3):
            angle = at / 10_000 ** (2 * i / 6)
            assert found[at, 2 * i] == pytest.approx(np.sin(angle), abs=1e-6)
            assert found[at, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-6)


@both
def test_eight_films_are_learned_by_heart(name: str) -> None:
    made = system(name, PAIRS, dropout=0.0)
    network, examples = made.network.train(), batch(made, PAIRS)
    rule = torch.optim.AdamW(network.parameters(), 3e-3)
    for step in range(60):
        rule.zero_grad()
        network.loss(examples, step / 60).backward()  # type: ignore[no-untyped-call]
        rule.step()
    parts = [made.film_parts(film) for film, _ in PAIRS]
    scores = [
        [
            (made.embed_film(film, own) * made.embed_music(music, own)).sum(1).mean()
            for _, music in PAIRS
        ]
        for (film, _), own in zip(PAIRS, parts, strict=True)
    ]
    assert np.argmax(scores, axis=1).tolist() == list(range(8))


def test_warmth_is_when_all_triplets_count() -> None:
    made = system("of-vm-net", PAIRS, violated=1, warm=0.5)
    examples = batch(made, PAIRS)
    made.eval()
    with torch.inference_mode():
        early, late = (made.network.loss(examples, share).item() for share in (0.49, 0.5))
    assert early < late  # a mean of all that are violated, and the worst


@torch.inference_mode()
def test_the_sides_can_be_exchanged_with_their_weights() -> None:
    made = system("of-vm-net", PAIRS, weights=[1, 2, 3, 4, 5, 6])
    network = made.network.eval()
    assert isinstance(network, OfVmNet)
    examples = batch(made, PAIRS)
    found = network.loss(examples, 1.0).item()
    network.of_film, network.of_music = network.of_music, network.of_film
    network.settings = replace(network.settings, weights=(2, 1, 4, 3, 6, 5))
    turned = replace(examples, films=examples.music, music=examples.films)
    assert network.loss(turned, 1.0).item() == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("term", [2, 3, 4, 5])
def test_each_term_of_flow_moves_the_fast_away_from_the_slow(term: int) -> None:
    weights = [float(i == term) for i in range(6)]
    made = system("of-vm-net", PAIRS, weights=weights, dropout=0.0, margin=2.0)
    examples = batch(made, PAIRS[:2])
    network = made.network

    def gap() -> float:
        """How much more alike the fastest parts are than the fastest and the slowest."""
        film, music = network.film(examples.films), network.music(examples.music)
        fast, slow = examples.place == 0, examples.place == examples.last
        anchors = (film, music, film, music)[term - 2][fast]
        others = (music, film, film, music)[term - 2]
        return (anchors @ others[fast].T).mean().item() - (anchors @ others[slow].T).mean().item()

    before = gap()
    network.loss(examples, 0.0).backward()  # type: ignore[no-untyped-call]
    torch.optim.SGD(network.parameters(), 1e-3).step()
    assert gap() > before


def test_films_of_one_part_have_no_triplets_of_flow() -> None:
    made = system("of-vm-net", PAIRS, weights=[0, 0, 1, 1, 1, 1])
    short = [pair(seed, 12) for seed in range(3)]
    assert made.network.loss(batch(made, short), 0.0).item() == 0


def test_a_film_is_divided_where_its_flow_changes() -> None:
    made = system("of-vm-net", PAIRS)
    film, _ = pair(0, 28)
    speeds = np.repeat([0.1, 0.9], [52, 60]) * np.random.default_rng(0).uniform(0.9, 1.1, 112)
    assert made.film_parts({**film, "flow": speeds.astype(np.float32)}) == [(0, 13), (13, 28)]


def test_parts_that_are_too_long_are_left_out_unless_all_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emsync.retrieval.of_vm_net.LONGEST", 30)
    made = system("of-vm-net", PAIRS)
    rng = np.random.default_rng(0)
    still_then_not = np.concatenate([np.full(150, 0.1), rng.gamma(1, 1, 150)])
    for speeds, reaches in ((still_then_not, 270), (np.arange(400.0), 380)):
        film = {"flow": speeds.repeat(4).astype(np.float32)}
        found = made.network.divide(film, len(speeds))
        assert all(0 < stop - start <= 30 for start, stop in found)
        assert found[-1][1] >= reaches


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"width": 30}, "width is 30, which is no multiple of 4"),
        ({"weights": (1.0, 1.0)}, "weights are 2; give none, or all six"),
        ({"preset": "fast"}, "preset is 'fast'; choose one of"),
        ({"warm": 2.0}, "warm is 2.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        OfVmNetShape(**settings)  # type: ignore[arg-type]
