"""Plain values for JSON, which has no NaN."""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return ``value`` with tuples as lists, and NaN and infinity as None.

    >>> plain({"values": (1.0, math.nan)})
    {'values': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(data: Mapping[str, Any], listed: Collection[str]) -> str:
    """Return plain ``data`` as JSON to edit: a line a key, and a line an entry of those ``listed``.

    >>> print(json_text({"tempo": 90.0, "hits": [1.5, 3.0]}, ["hits"]), end="")
    {
     "tempo": 90.0,
     "hits": [
      1.5,
      3.0
     ]
    }
    """

    def row(key: str, value: Any) -> str:
        if key not in listed or not value:
            return json.dumps(value, allow_nan=False)
        lines = ",\n  ".join(json.dumps(entry, allow_nan=False) for entry in value)
        return f"[\n  {lines}\n ]"

    text = ",\n".join(f' "{key}": {row(key, value)}' for key, value in data.items())
    return f"{{\n{text}\n}}\n"
