"""What a film was felt from, in sentences: what was read, given or left out, how to change it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.emotion.belief import Impression
from emsync.emotion.plane import in_percent, normalise
from emsync.emotion.reasons import SILENT, Reason, guess, reasons
from emsync.limits import one_line
from emsync.options import Options
from emsync.report.rows import is_given

COUNTS = 0.01  # share of the certainty below which a cue has hardly a say
CUE_WORDS = {  # others have the names of their plug-ins
    "faces": "the faces",
    "pictures": "the pictures",
    "sound": "the film's own sound",
}
NOT_FOLLOWED = "What the cues say of the film is shown all the same; it is not followed."
EDITED = "The analysis was given: where its states were edited, they count, not the cues."
CONSTANT = "One feeling was asked for throughout: the mean of the whole film."
NO_SOUND = "The film's own sound was left out, as was asked."
SURER = "Each says it with a width; the surer counts the more."
HOW_TO_CHANGE = (
    "To change it, give --emotion, --valence or --arousal for the whole film; or edit the states "
    "in the file that emsync analyze --out writes and give it with --analysis; or list them in a "
    "CSV of time,emotion or time,valence,arousal for --emotion-file."
)


def origin(composition: Composition) -> list[str]:
    """Return what the film was felt from in sentences; none where its feeling is not known."""
    analysis, options = composition.analysis, composition.options
    if math.isnan(analysis.valence) and math.isnan(analysis.arousal):
        return []
    if given := _given(analysis, options):
        said = [given, *[NOT_FOLLOWED] * bool(analysis.shots)]
    else:
        sections = [(section.start, section.end) for section in composition.plan.sections]
        unsure = guess(sections, analysis.shots, "sections")
        said = [_read(analysis), *_silent(analysis.shots)]
        if options.analysis is not None:
            said.append(EDITED)
        elif unsure:
            said.append(f"{unsure.capitalize()}.")
        said += [CONSTANT] * (options.arc == "constant")
    return [*said, *[NO_SOUND] * options.ignore_sound, HOW_TO_CHANGE]


def _given(analysis: Analysis, options: Options) -> str:
    """Return what a person gave in place of what the film shows, or nothing."""
    both = options.emotion is not None or options.emotion_file is not None
    values = []
    if options.emotion_file is not None:
        values.append(f"the file {one_line(Path(options.emotion_file).name)}")
    if isinstance(options.emotion, Mapping):  # text was parsed when it was given
        values.append(in_percent(normalise(options.emotion)))
    axes = {name: getattr(options, name) for name in ("valence", "arousal")}
    values += [f"{name} {value:+.2f}".replace("-", "−") for name, value in axes.items()
               if value is not None]  # fmt: skip
    rest = [name for name, value in axes.items() if value is None]
    if values and len(rest) == 1 and not both:
        return f"The feeling was given in part: {values[0]}. Its {rest[0]} is that of the film."
    if values:
        return f"The feeling was given: {', '.join(values)}."
    by = "the plan" if options.plan is not None else "the analysis"
    return f"The feeling was given by {by}." if is_given(analysis) else ""


def _read(analysis: Analysis) -> str:
    """Return which cues had a say."""
    if not analysis.shots:
        return f"The feeling was read from {analysis.estimator}; what each shot said was not kept."
    spoke = [reason.cue for reason in reasons(analysis.shots) if _counts(reason)]
    if not spoke:
        return "Nothing in the film says what it feels like."
    *most, last = (CUE_WORDS.get(cue, cue) for cue in spoke)
    if not most:
        return f"The feeling was read from {last}."
    return f"The feeling was read from {', '.join(most)} and {last}. {SURER}"


def _silent(shots: Sequence[Impression]) -> list[str]:
    """Return which cues had no say, or hardly one, and why."""
    return [
        f"{reason.cue.capitalize()} had {'hardly a' if reason.spoke else 'no'} say: "
        f"{reason.belief.words or SILENT}."
        for reason in reasons(shots)
        if not _counts(reason)
    ]


def _counts(reason: Reason) -> bool:
    return max(reason.valence_weight, reason.arousal_weight) >= COUNTS
