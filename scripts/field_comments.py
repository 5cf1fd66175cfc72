"""For the documentation: the comment beside a field is its description, as in the source."""

import io
import tokenize
from typing import Any

import griffe


class FieldComments(griffe.Extension):  # type: ignore[misc,unused-ignore]
    """Give each attribute without a docstring the comment at the end of its last line."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        if attr.docstring is None and attr.lines and (words := comment(attr.lines)):
            attr.docstring = griffe.Docstring(words, lineno=attr.lineno, parent=attr)


def comment(lines: list[str]) -> str:
    """Return the last comment in lines of source, as a sentence; nothing where there is none."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO("\n".join(lines).lstrip()).readline))
    except (tokenize.TokenError, IndentationError):
        return ""
    found = [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
    return found[-1][:1].upper() + found[-1][1:] + "." if found else ""
