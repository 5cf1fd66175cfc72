"""Whether a failure is that of a disk without room, and how that is said."""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL = "the disk is full; make room, and try once more"


def is_full(error: BaseException | None) -> bool:
    """Return whether ``error``, or what caused it, is that of a disk without room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        error = error.__cause__
    return False
