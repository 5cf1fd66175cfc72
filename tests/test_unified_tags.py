"""Unified tags: against scikit-learn, and what ties and rare labels come to."""

import random
from collections import Counter

import numpy as np
import pytest

from emsync.retrieval.tags import unified, weights

DANCE = [
    ("a", ["sea", "sea", "dawn"]),
    ("a", ["sea", "film"]),
    ("b", ["sea", "film"]),
    ("c", ["city", "night", "film"]),
    ("d", ["city", "film"]),
    ("d", ["city", "night"]),
]


def drawn(songs: int = 40, words: int = 15) -> list[tuple[str, list[str]]]:
    chance = random.Random(0)
    return [
        (f"s{chance.randrange(songs)}", [f"w{chance.randrange(words)}" for _ in range(5)])
        for _ in range(3 * songs)
    ]


def test_the_weights_are_scikit_learn_s_less_the_one_that_it_adds() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    films = drawn()
    found = weights(films)
    songs = sorted(found)
    words = sorted({tag for _, tags in films for tag in tags})
    counts = np.zeros((len(songs), len(words)))
    for song, tags in films:
        for tag in tags:
            counts[songs.index(song), words.index(tag)] += 1
    shares = counts / counts.sum(axis=1, keepdims=True)
    theirs = text.TfidfTransformer(norm=None, smooth_idf=False).fit_transform(shares).toarray()
    ours = np.array([[found[song].get(word, 0.0) for word in words] for song in songs])
    np.testing.assert_allclose(ours, theirs - shares, atol=1e-12)


def test_a_tag_that_all_songs_have_weighs_nothing() -> None:
    assert {own["film"] for own in weights(DANCE).values()} == {0.0}


def test_weights_by_hand() -> None:
    own = weights(DANCE)["a"]  # 5 tags in all; 2 of 4 songs have the sea, 1 has dawn
    assert own["sea"] == pytest.approx(3 / 5 * np.log(2))
    assert own["dawn"] == pytest.approx(1 / 5 * np.log(4))


def test_each_song_has_the_label_that_tells_it_best() -> None:
    assert unified(DANCE) == {"a": "sea", "b": "sea", "c": "city", "d": "city"}


def test_the_order_of_the_films_changes_nothing() -> None:
    films = drawn()
    other = films.copy()
    random.Random(1).shuffle(other)
    assert unified(other) == unified(films)


def test_no_label_is_rare_and_a_song_bears_one_of_its_own_tags_where_it_can() -> None:
    films = drawn()
    labels = unified(films, least=3)
    assert min(Counter(labels.values()).values()) >= 3
    for song, label in labels.items():
        assert any(label in tags for name, tags in films if name == song)
    left = {song for song, _ in films} - set(labels)
    assert not any(name in left and set(tags) & set(labels.values()) for name, tags in films)


def test_of_equal_tags_the_more_frequent_one_and_then_the_first_of_the_alphabet() -> None:
    # both songs have all tags: every weight is 0
    assert unified([("a", ["x", "y", "y"]), ("b", ["x", "y", "y"])]) == {"a": "y", "b": "y"}
    assert unified([("a", ["y", "x"]), ("b", ["x", "y"])]) == {"a": "x", "b": "x"}
    assert unified([("a", ["xy", "x"]), ("b", ["x", "xy"])]) == {"a": "x", "b": "x"}


def test_a_song_alone_with_its_label_takes_the_next_best() -> None:
    films = [("a", ["rare", "sea"]), ("b", ["sea"]), ("c", ["city"]), ("d", ["city"])]
    assert unified(films)["a"] == "sea"
    assert unified(films, least=1)["a"] == "rare"


def test_songs_that_share_no_tag_and_films_without_tags_have_no_label() -> None:
    assert unified([("a", ["x"]), ("b", ["y"]), ("c", [])]) == {}
    assert unified([]) == {}
