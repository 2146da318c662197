"""Every setting stands in both READMEs, with the default that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.settings import PROJECT_ROOT, Settings

ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \|", re.MULTILINE)


def _shown(default: object, empty: str) -> str:
    if default in (None, ""):
        return empty
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default.relative_to(PROJECT_ROOT) if isinstance(default, Path) else default}`"


@pytest.mark.parametrize(("readme", "empty"), [("README.md", "empty"), ("README.zh-CN.md", "空")])
def test_every_setting_is_told_with_its_default(readme: str, empty: str) -> None:
    told = dict(ROW.findall((PROJECT_ROOT / readme).read_text(encoding="utf-8")))
    fields = Settings.model_fields
    assert {name: told.get(name) for name in fields} == {
        name: _shown(field.default, empty) for name, field in fields.items()
    }
