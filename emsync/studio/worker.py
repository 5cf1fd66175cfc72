"""The worker process of the studio: it reads a task a line, and answers events, a line each.

It ends with the server: when nobody holds the other end of its standard input any more.
"""

import json
import os
import queue
import sys
import threading
import traceback
from typing import Any, TextIO

from emsync.errors import EmsyncError, telling
from emsync.studio.room import FULL, is_full


def main() -> None:
    """Do one task after the other until the standard input is closed."""
    # native code and libraries may print to stdout, which is for answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tasks: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    while True:
        _do(json.loads(tasks.get()), answers)


def _read(tasks: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)  # the server is gone, whatever is being done


def _do(task: dict[str, Any], answers: TextIO) -> None:
    """Do a task, and answer how it went."""

    def tell(event: str, **facts: Any) -> None:
        answers.write(json.dumps({"event": event, **facts}) + "\n")
        answers.flush()

    with telling(lambda text: tell("note", text=text)):
        try:
            from emsync.studio import tasks

            result = tasks.do(task, tell)
        except MemoryError:
            tell("failed", reason="there is not enough memory for this; close other programs")
        except (EmsyncError, OSError) as error:
            tell("failed", reason=_sentence(error))
        except Exception as error:  # a fault of ours: told in the page, its trace in the terminal
            traceback.print_exc()
            tell("failed", reason=f"a fault in emsync: {type(error).__name__}: {error}")
        else:
            tell("done", result=result or {})


def _sentence(error: EmsyncError | OSError) -> str:
    if is_full(error):
        return FULL
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'a file'}"
    return str(error)


if __name__ == "__main__":
    main()
