"""The blocks marked `py` of docs/python.md print what the page shows behind them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_page_shows_what_its_examples_print(daemon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLSIEVE_SOCKET", str(daemon))
    names: dict[str, Any] = {}
    shown = []
    printed = []
    for language, text in re.findall(r"^```([^\n]+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if file := re.search(r"file=(\S+)", language):
            Path(file[1]).write_text(text)
        elif language == "py":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text, str(PAGE), "exec"), names)
            printed.append(out.getvalue())
        elif language == "text":
            shown.append(text)
    assert printed == shown and len(shown) >= 5
