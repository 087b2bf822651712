"""Write the table of docs/settings.md from the declarations of the settings.

.venv/bin/python docs/make_settings_table.py

A test compares the page with the table that this makes.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from anemonefish.field_checks import FieldType, field_types
from anemonefish.settings import FORMATS, Settings

DOCUMENT = Path(__file__).with_name("settings.md")
_PLACE = re.compile(r"(?<=<!-- settings -->\n).*(?=<!-- /settings -->)", re.S)


def settings_table() -> str:
    """Return the table of the settings, in Markdown."""
    types = field_types(Settings)
    rows = ["| name | default | values | changes | meaning |", "|---|---|---|---|---|"]
    for setting in fields(Settings):
        meaning = re.sub(r"docs/(\w+\.md)", r"[\1](\1)", setting.metadata["meaning"])
        cells = (
            f"`{setting.name}`",
            _default(setting.default),
            _values(types[setting.name]),
            setting.metadata["use"].value,
            meaning,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def page_with_table(page: str) -> str:
    """Return docs/settings.md with the table as the declarations make it now."""
    return _PLACE.sub(lambda _: settings_table(), page)


def _default(value: Any) -> str:
    if value == FORMATS:
        return "all"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`".replace('"', "")


def _values(kind: FieldType) -> str:
    words = kind.words()
    for choice in kind.choices:
        words = re.sub(rf"\b{choice}\b", f"`{choice}`", words)
    return f"{words}, or `null`" if kind.optional else words


if __name__ == "__main__":
    DOCUMENT.write_text(page_with_table(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
