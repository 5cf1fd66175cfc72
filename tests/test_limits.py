"""What a stranger's file may cost."""

import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from emsync import limits
from emsync.errors import AssetError, InputError
from emsync.limits import (
    one_line,
    parse_json,
    parse_number,
    read_bytes,
    read_json,
    read_text,
    read_toml,
)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(InputError, match="more than 4 bytes"):
        read_bytes(path, 4)


@pytest.mark.parametrize("name", ["/dev/zero", "/", "\0", "nowhere"])
def test_what_is_no_file_is_refused_at_once(name: str) -> None:
    with pytest.raises(AssetError):
        read_bytes(Path(name), error=AssetError)


def test_a_pipe_is_read_and_a_silent_one_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"4.5\n")
    os.close(writing)
    assert read_bytes(Path(f"/dev/fd/{reading}")) == b"4.5\n"
    os.close(reading)
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(limits, "PATIENCE", 0.1)
    began = time.monotonic()
    with pytest.raises(InputError, match="pipe"):
        read_bytes(tmp_path / "fifo")
    assert time.monotonic() - began < 5


def test_a_byte_order_mark_is_no_text_and_what_is_not_utf8_is_said(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("\ufeffé".encode())
    assert read_text(path) == "é"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match="byte 3"):
        read_text(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 65 + "1" + "}" * 65,
        "1" * 5000,
        "NaN",
        "-Infinity",
        "1e999",
        "",
        "{",
    ],
)
def test_json_that_would_cost_too_much_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_json(text, "it")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "1e-999999999",
        "1e999",
        "1" * 5000,
        "1/0",
        "1/" + "9" * 50,
        "1_0",
        " 1",
        "٣",
        "0x1",
    ],
)
def test_a_number_that_is_none_or_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number|divides by 0"):
        parse_number(text)


def test_a_field_stays_in_its_line_in_text_and_in_xml() -> None:
    every = "".join(map(chr, range(0x110000)))
    kept = "".join(one_line(every[i : i + 100]) for i in range(0, len(every), 100))
    assert len(kept.splitlines()) == 1
    ElementTree.fromstring(f"<a>{escape(kept)}</a>".encode())
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x1b\x9b") & set(kept)
    assert one_line("caf\udce9") == "caf\ufffd"
    assert one_line("ночь 🎬 Café – ليل") == "ночь 🎬 Café – ليل"


def test_a_table_in_a_table_in_a_table_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f"x{'.a' * 50_000} = 1\n")
    began = time.monotonic()
    with pytest.raises(InputError, match="more than 64 deep"):
        read_toml(tmp_path / "a.toml")
    assert time.monotonic() - began < 2


def test_ordinary_json_and_toml_are_read(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, "x", None, True, {"b": -1e-3}]}
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert read_json(tmp_path / "a.json") == value
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match="no JSON object"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.toml").write_text("a = 1\n[b]\nc = [1.5]\n")
    assert read_toml(tmp_path / "a.toml") == {"a": 1, "b": {"c": [1.5]}}
    for text in ("a = nan", "a = inf", "a = " + "[" * 1000, "a = 1\na = 2"):
        (tmp_path / "a.toml").write_text(text)
        with pytest.raises(InputError):
            read_toml(tmp_path / "a.toml")
