"""Settings from files: their types and ranges, and sentences that name key, value and range."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest

from emsync.errors import AssetError, UsageError
from emsync.settings import Within, arguments, build, check, settings_of


@dataclass(frozen=True)
class Everything:
    name: ClassVar[str] = "not a setting"
    path: str
    width: Annotated[int, Within(8, 64), "numbers"] = 16
    rate: Annotated[float, Within(0, 1)] = 0.5
    free: float = 0.0
    on: bool = False
    kind: Literal["a", "b"] = "a"
    names: tuple[str, ...] | None = None
    shares: Annotated[Mapping[str, float], Within(0, 1)] = field(default_factory=dict)


def test_values_of_a_file_become_the_fields() -> None:
    values = {"path": "p", "width": 8, "rate": 1, "names": ["x"], "shares": {"k": 0}}
    made = build(Everything, values)
    assert made == Everything("p", 8, 1.0, names=("x",), shares={"k": 0.0})
    assert type(made.rate) is float
    check(Everything("p", width=np.int64(9), rate=np.float32(0.5)))  # type: ignore[arg-type]
    assert {s.name: s.words for s in settings_of(Everything)}["width"] == "numbers"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 7}, "F: width is 7, not a whole number from 8 to 64"),
        ({"width": 10**400}, "width is 1000"),
        ({"width": True}, "width is True, not a whole number"),
        ({"width": 8.0}, "width is 8.0, not a whole number"),
        ({"width": "8"}, "width is '8', not a whole number"),
        ({"width": None}, "width is None"),
        ({"rate": float("nan")}, "rate is nan, not a number from 0 to 1"),
        ({"rate": -1}, "rate is -1, not a number from 0 to 1"),
        ({"free": float("inf")}, "free is inf, not a finite number"),
        ({"free": 10**400}, "not a finite number"),
        ({"path": 3}, "path is 3, not text in quotes"),
        ({"path": "a\0b"}, "null character"),
        ({"on": 1}, "on is 1, not true or false"),
        ({"kind": "c"}, "kind is 'c'; choose one of a, b"),
        ({"kind": ["a"]}, "choose one of a, b"),
        ({"names": "abc"}, "names is 'abc', not a list"),
        ({"names": [1]}, "an entry of names is 1"),
        ({"names": ["x"] * 2000}, "not a list of at most 1000"),
        ({"shares": {"k": 2}}, r"shares.k is 2, not a number from 0 to 1"),
        ({"shares": [1]}, "not a table"),
        ({"widht": 8}, "'widht' is no setting; there are"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_range(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AssetError, match=reason):
        arguments(Everything, {"path": "p", **changes}, "F: ", AssetError)


def test_what_is_missing_or_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="'path' is missing"):
        build(Everything, {})
    with pytest.raises(UsageError, match="is no table of settings"):
        build(Everything, [1])
    with pytest.raises(UsageError, match="width is 7"):
        check(Everything("p", width=7))
