"""From what a video asks to music that answers it: draw pieces, fit each, the best first."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from emsync.analysis import Analysis
from emsync.candidates import Candidate, judge
from emsync.composer import Composer
from emsync.ending import cadence, last_chord
from emsync.hits import Fitted, fit
from emsync.metrics.rhythm import Floats
from emsync.music import Piece
from emsync.sampling import Sampling, sample
from emsync.tempo import at_tempo, tempo_of
from emsync.tonality import TONICS
from emsync.video import Cut
from emsync.wishes import Wishes

ENDING = "the last chord"  # the reason of the boundary that the ending adds
STRIDE = 1_000_003  # between the seeds of candidates, so that another seed shares none of them
MARGIN = 1.0  # seconds of music beyond what the fastest tempo can use


def compose(
    composer: Composer,
    video: Analysis,
    wishes: Wishes,
    sampling: Sampling,
    progress: Callable[[float], None] = lambda share: None,
    pictures: Floats | None = None,
) -> list[Candidate]:
    """Draw ``wishes.candidates`` pieces, fit them to ``video``, and return them best first.

    ``pictures`` is the video's visible impact, where the rhythm counts.
    """
    asked = asked_of(video, wishes)
    seeds = [wishes.seed + k * STRIDE for k in range(wishes.candidates)]
    drawn = draw(composer, [asked] * len(seeds), seeds, wishes, sampling, progress)
    candidates = [
        judge(answer(piece, video, wishes), asked, seed, tokens, pictures)
        for seed, (piece, tokens) in zip(seeds, drawn, strict=True)
    ]
    return sorted(candidates, key=lambda c: -c.score)


def asked_of(video: Analysis, wishes: Wishes) -> Analysis:
    """Return what the music is told of ``video``: its ending is one more boundary to see coming."""
    aim = ending_of(video, wishes)
    if aim is None or any(cut.kept and abs(cut.time - aim) < 1e-6 for cut in video.cuts):
        return video
    cuts = (*video.cuts, Cut(aim, reason=ENDING))
    return replace(video, cuts=tuple(sorted(cuts, key=lambda cut: cut.time)))


def ending_of(video: Analysis, wishes: Wishes) -> float | None:
    """Return the second of the last chord, if the music ends with one."""
    return last_chord(video.duration, video.cuts) if wishes.ending == "cadence" else None


def draw(
    composer: Composer,
    asked: Sequence[Analysis],
    seeds: Sequence[int],
    wishes: Wishes,
    sampling: Sampling,
    progress: Callable[[float], None] = lambda share: None,
) -> list[tuple[Piece, int]]:
    """Draw a piece, as the video times it, for each of ``asked``; return it and its tokens.

    All of ``asked`` are of one video, and all pieces have the tempo that suits the first. Where
    nobody named a tonic the seed does.
    """
    asked = [
        replace(video, tonic=wishes.tonic or video.tonic or TONICS[seed % len(TONICS)])
        for video, seed in zip(asked, seeds, strict=True)
    ]
    length = asked[0].duration * (1 + wishes.max_tempo_change) + MARGIN
    slower = 1.0
    if composer.tempo is not None:
        tempo = tempo_of(asked[0], wishes.tempo)
        asked = [at_tempo(video, composer.tempo, tempo) for video in asked]
        slower = composer.tempo / tempo
    length /= slower
    rows = sample(
        composer.model,
        composer.tokenizer,
        [composer.targets(video) for video in asked],
        [length] * len(asked),
        seeds,
        sampling,
        lambda seconds: progress(seconds / length),
    )
    return [(composer.tokenizer.decode(ids).stretched(slower), len(ids)) for ids in rows]


def answer(piece: Piece, video: Analysis, wishes: Wishes) -> Fitted:
    """Return ``piece`` with its events on the cuts of ``video``, and its last chord."""
    asked, aim = asked_of(video, wishes), ending_of(video, wishes)
    rate = Fraction(video.fps) or None
    fitted = fit(piece, asked.cuts, video.duration, wishes.sync, wishes.max_tempo_change, rate)
    if aim is None:
        return fitted
    cuts = tuple(report for report in fitted.cuts if report.cut.reason != ENDING)
    answers = {report.cut.time: report.hit.time for report in cuts if report.hit is not None}
    ended, _ = cadence(fitted.piece, answers.get(aim, aim), fitted.duration, list(answers.values()))
    return replace(fitted, piece=ended, cuts=cuts)
