"""Labels: where they come from, and how they are scaled."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from emsync.data.labels import (
    Facts,
    Scale,
    TagModel,
    read_index,
    read_labels,
    valences,
)
from emsync.errors import InputError

HEAD = "path,dup_group,dup_rank,deezer_valence,lastfm_moods\n"


def songs(count: int = 200, noise: float = 0.3) -> list[Facts]:
    """Songs whose valence is the balance of their tags; every tenth has no valence."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        moods = [m for m in ("happy", "sad", "calm") if rng.random() < 0.5] or ["happy"]
        valence = ("happy" in moods) - ("sad" in moods) + noise * rng.normal()
        known = np.nan if i % 10 == 0 else valence
        found.append(Facts(f"{i}.npz", str(i // 2), i % 2, known, frozenset(moods)))
    return found


def test_a_scale_sets_outliers_aside_and_clips_them() -> None:
    scale = Scale.of([1.0, 2.0, 3.0, 4.0, 5.0, 1000.0, np.nan])
    assert (scale.low, scale.high) == (1.0, 5.0)
    assert [scale(v) for v in (1, 3, 5, 1000, -1000)] == [-1, 0, 1, 1, -1]


def test_a_scale_of_nothing_or_of_one_value_is_still_a_scale() -> None:
    for values in ([], [np.nan], [3.0], [3.0, 3.0]):
        assert np.isfinite(Scale.of(values)(3.0))


def cross_validated(songs: Iterable[Facts], folds: int = 5) -> tuple[float, int]:
    """Return the correlation of predictions with the annotations of songs held out by group."""
    both = [s for s in songs if s.moods and np.isfinite(s.valence)]
    groups = sorted({s.group for s in both})
    fold = {group: i % folds for i, group in enumerate(groups)}
    guess, truth = np.zeros(0), np.zeros(0)
    for k in range(folds):
        model = TagModel.fit([s for s in both if fold[s.group] != k])
        held = [s for s in both if fold[s.group] == k]
        guess = np.append(guess, model.predict(held))
        truth = np.append(truth, [s.valence for s in held])
    known = np.isfinite(guess)
    return float(np.corrcoef(guess[known], truth[known])[0, 1]), int(known.sum())


def test_tags_predict_the_valence_of_songs_they_were_not_fitted_on() -> None:
    correlation, used = cross_validated(songs())
    assert correlation > 0.85 and used == 180
    assert TagModel.fit(songs()).predict([Facts("x", "x", moods=frozenset(["sad"]))])[0] < -0.5
    assert np.isnan(TagModel.fit(songs()).predict([Facts("x", "x")])[0])


def test_an_annotation_wins_over_tags_and_each_label_keeps_its_origin() -> None:
    known = {s.path: s for s in [*songs(), Facts("bare.npz", "b")]}
    felt = valences(known)
    assert {path: origin for path, (_, origin) in felt.items()} == {
        s.path: "moods" if np.isnan(s.valence) else "deezer" for s in songs()
    }
    values = [value for value, _ in felt.values()]
    assert min(values) == -1 and max(values) == 1


def test_an_index_without_annotations_labels_nothing(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(HEAD + "a.npz,0,0,,happy;party\nb.npz,0,1,,\n")
    labels = read_labels(tmp_path / "index.csv")
    assert [label.valence for label in labels.values()] == [None, None]
    assert (labels["b.npz"].group, labels["b.npz"].rank) == ("0", 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,valence\na.npz,0.5\n", "'arousal'"),
        ("song,valence,arousal\na.npz,0.5,0\n", "'path'"),
        ("path,valence,arousal\na.npz,1.5,0\n", "the valence of 'a.npz' is 1.5, not in"),
        ("path,valence,arousal\na.npz,0,nan\n", "the arousal of 'a.npz' is nan, not in"),
        ("path,valence,arousal\na.npz,happy,0\n", "could not convert"),
        (HEAD + "a.npz,0,first,,\n", "invalid literal"),
        ("path,dup_group,dup_rank\na.npz,0,0\n", "'deezer_valence'"),
    ],
)
def test_a_table_that_is_none_is_refused_with_the_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_labels(tmp_path / "labels.csv")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "labels.csv").write_bytes(b"path,valence,arousal\n\xff\xfe\x00")
    with pytest.raises(InputError, match="is no UTF-8"):
        read_labels(tmp_path / "labels.csv")


def test_the_tags_of_lakh_pianoroll_predict_deezer_s_valence(shared: Path) -> None:
    facts = read_index(shared / "corpus" / "lpd_index.csv")
    correlation, used = cross_validated(facts.values())
    assert correlation > 0.75 and used > 1100
    labels = read_labels(shared / "corpus" / "lpd_index.csv")
    assert len(labels) == 12594
    assert sum(label.valence is not None for label in labels.values()) > 5000
