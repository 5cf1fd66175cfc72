"""What a start does about files that a person has changed, or that cannot be read any more.

A film whose record cannot be read is left alone, and so is a take; all else is mended here, with a
warning for each thing that is less than it was.
"""

from emsync.analysis import Analysis
from emsync.errors import InputError, UsageError, warn
from emsync.limits import read_json, shown
from emsync.studio.document import PARTS, Edit, edited, read_wishes
from emsync.studio.projects import Project, Version

FILES = PARTS[:2]  # of a document that lie beside it, for the command line
CHANGED = "changed outside the page"


def mend(project: Project) -> None:
    """Let a film that was watched be what can be read of it; else have it watched again."""
    if project.record.state != "ready" or _is_whole(project):
        return
    _leave_out_versions(project)
    if project.record.at:
        _take_in_files(project)
        _check_seen(project)


def _is_whole(project: Project) -> bool:
    """Return whether all files say the same, as they do where nobody has changed them: quickly."""
    try:
        now = project.document_json()
        read_wishes(now.get("wishes"))
        if any(read_json(project.folder / f"{part}.json") != now.get(part) for part in FILES):
            return False
        if (seen := project.seen()) != now.get("analysis"):
            Analysis.from_json(seen, "seen.json")
    except (InputError, UsageError):
        return False
    return True


def _leave_out_versions(project: Project) -> None:
    """Go to the version nearest to the present one that can be read, earlier ones first."""
    record, lost = project.record, set()

    def far(version: Version) -> tuple[bool, int]:
        return version.number > record.at, abs(version.number - record.at)

    for version in sorted(record.versions, key=far):
        try:
            project.version(version.number)
        except (InputError, UsageError) as error:
            warn(f"a version of {shown(record.name)} is left out: {error}")
            lost.add(version)
        else:
            if lost:
                kept = tuple(v for v in record.versions if v not in lost)
                project.save(versions=kept, at=version.number)
            return
    project.save(versions=(), at=0, state="watching")


def _take_in_files(project: Project) -> None:
    """Make a version of what a person has changed in analysis.json or plan.json."""
    now, name = project.document_json(), shown(project.record.name)
    paths = {part: project.folder / f"{part}.json" for part in FILES}
    try:
        found = {part: read_json(path) for part, path in paths.items() if path.exists()}
        changed = {part: data for part, data in found.items() if data != now[part]}
        after = edited(project.document(), Edit.from_json(changed)) if changed else None
    except (InputError, UsageError) as error:
        warn(
            f"what was changed by hand of {name} is not taken in, and goes with the next change "
            f"in the page: {error}"
        )
        return
    if after is not None:
        warn(f"what was changed by hand of {name} is taken in as a version of it")
        project.put(after, CHANGED)
    elif len(found) < len(FILES):
        project.go(project.record.at)  # which writes them


def _check_seen(project: Project) -> None:
    """Have a film watched again whose first analysis is lost."""
    try:
        Analysis.from_json(project.seen(), "seen.json")
    except InputError as error:
        warn(f"{shown(project.record.name)} is watched again: {error}")
        project.save(state="watching")
