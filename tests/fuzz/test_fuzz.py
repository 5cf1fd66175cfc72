"""Damaged files of every kind are read, or refused in a sentence, within seconds and a gigabyte.

EMSYNC_FUZZ_SECONDS=60 fuzzes each target for so long; every case that breaks the law is kept in
``regressions/TARGET``, and is read again by each run of the suite.
"""

import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(runpy.run_path(str(HERE / "fuzz.py"))["TARGETS"])
LONG = float(os.environ.get("EMSYNC_FUZZ_SECONDS", "5"))  # for each target

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the alarm is POSIX")


def fuzz(folder: Path, *words: object) -> None:
    run = subprocess.run(
        [sys.executable, HERE / "fuzz.py", "--folder", folder, *map(str, words)],
        capture_output=True, text=True,
    )  # fmt: skip
    if run.returncode:
        target = [line for line in run.stdout.splitlines() if line in TARGETS][-1]
        case = (folder / "case").read_bytes() if (folder / "case").exists() else b""
        kept = HERE / "regressions" / target / hashlib.sha256(case).hexdigest()[:12]
        if 0 < len(case) < 100_000:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(case)
        pytest.fail(f"{target}: {run.returncode}; the case is {kept}\n{run.stderr[-2000:]}")


@pytest.mark.slow
def test_what_broke_a_reader_once_and_other_damage_is_read_or_refused(tmp_path: Path) -> None:
    assert {folder.name for folder in (HERE / "regressions").glob("*/")} <= set(TARGETS)
    fuzz(tmp_path, "--seconds", 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_reader_stands_what_it_is_given(target: str, tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4)) if "EMSYNC_FUZZ_SECONDS" in os.environ else 1
    fuzz(tmp_path, "--seconds", LONG, "--seed", seed, target)
