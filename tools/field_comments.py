"""An extension of griffe, which reads docstrings for the site: the fields of a class as a table in its docstring.

Fields have their shapes and units in the comment behind them: `time: np.ndarray  # (T,) s`.
"""

import re
from collections.abc import Iterator
from typing import Any

from griffe import Attribute, Class, Docstring, Extension, Object

from tools.documents import trailing_comment


class FieldComments(Extension):
    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Names such as `__len__` are no bold words."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"(?<!`)\b__\w+__(?!`)", r"`\g<0>`", obj.docstring.value)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        if rows := list(_rows(cls)):
            text = cls.docstring.value if cls.docstring else ""
            table = "\n".join(["| field | type | |", "|---|---|---|", *rows])
            cls.docstring = Docstring(f"{text}\n\n{table}", parent=cls, lineno=cls.lineno)


def _rows(cls: Class) -> Iterator[str]:
    for name, field in cls.members.items():
        if isinstance(field, Attribute) and field.annotation and not ("property" in field.labels or name[0] == "_"):
            line = field.lines_collection[field.filepath][(field.endlineno or 1) - 1]
            kind = str(field.annotation).strip("\"'").removeprefix("np.")
            comment = trailing_comment(line).replace("|", r"\|")
            yield f"| `{name}` | `{kind}` | {comment} |"
