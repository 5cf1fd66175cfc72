"""A worker for tests of the studio: no library, so it starts at once, and does as it is told.

    python studio_fake.py [FOLDER]

A task with ``steps`` has them done one after the other. Other tasks are those of the real worker,
done in no time with what lies in FOLDER: ``seen.json`` for each film, ``take.json`` for each piece.
A film whose name begins with "slow" is never seen, one that begins with "bad" cannot be.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any


def say(event: str, **facts: Any) -> None:
    write(json.dumps({"event": event, **facts}) + "\n")


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def do(steps: list[list[Any]]) -> None:
    for name, value in steps:
        if name == "say":
            write(json.dumps(value) + "\n")
        elif name == "write":
            write(value)
        elif name == "long":
            write("x" * value + "\n")
        elif name == "wait":
            time.sleep(value)
        elif name == "complain":
            print(value, file=sys.stderr, flush=True)
        elif name == "exit":
            os._exit(value)
        elif name == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "pid":
            say("done", result={"pid": os.getpid()})


def watch(task: dict[str, Any], known: Path) -> None:
    folder, facts = Path(task["folder"]), {"duration": 20.0, "fps": "25"}
    if task["name"].startswith("bad"):
        say("failed", reason="it is no film")
        return
    say("film", facts=facts)
    (folder / "strip").mkdir(exist_ok=True)
    for number in range(2):
        (folder / "strip" / f"{number:02d}.jpg").write_bytes(b"\xff\xd8jpeg")
        say("strip", time=10.0 * number)
    (folder / ".seen.json.00000000.part").write_text("half")
    while task["name"].startswith("slow"):
        say("progress", stage="Watching", share=0.5)
        time.sleep(0.02)
    (folder / ".seen.json.00000000.part").unlink()
    say("picture", file=task["film"], type="video/mp4")
    shutil.copy(known / "seen.json", folder / "seen.json")
    say("done", result={"facts": facts})


def compose(task: dict[str, Any], known: Path) -> None:
    folder, recipe = Path(task["folder"]), task["recipe"]
    for number in range(recipe["candidates"]):
        id_ = f"{time.time_ns() % 16**16:016x}"
        take = folder / "takes" / id_
        take.mkdir()
        (take / "score.mid").write_bytes(b"MThd")
        (take / "sound.flac").write_bytes(bytes(range(200)))
        facts = {"name": str(number + 1), "seed": recipe["seed"] + number, "run": task["run"]}
        known_facts = json.loads((known / "take.json").read_text())
        (take / "take.json").write_text(json.dumps({**known_facts, **facts}))
        say("candidate", take=id_)
    say("done", result={"asked": task})


def main() -> None:
    known = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    for line in sys.stdin:
        task = json.loads(line)
        if "steps" in task:
            do(task["steps"])
        elif task["kind"] == "watch":
            watch(task, known)
        elif task["kind"] in ("compose", "anew"):
            compose(task, known)
        else:
            say("done", result={"asked": task})


if __name__ == "__main__":
    main()
