"""When the bars and chords of a plan will be in the film, before a note is drawn."""

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Seconds
from emsync.fit.spotting import spotting_of
from emsync.music.lead_sheet import LeadSheet
from emsync.options import Options
from emsync.planning.placing import lead_sheet, section_bars
from emsync.planning.plan import Plan


def scheduled(plan: Plan, analysis: Analysis, options: Options) -> tuple[LeadSheet, Seconds]:
    """Return the lead sheet and the bar lines of ``plan``, in seconds of the film.

    ``options`` say how the cuts of ``analysis`` are to be met. The music will be near: it is bent
    by what it is found to hold.
    """
    brief, ending = plan.brief(analysis)
    spotting = spotting_of(brief, options.sync, options.max_tempo_change)
    lines = np.unique(np.concatenate(section_bars(plan, spotting, ending.chord)))
    return lead_sheet(plan, spotting, ending.chord).retimed(spotting.film), spotting.film(lines)
