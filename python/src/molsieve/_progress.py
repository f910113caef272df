"""The progress of a job as a bar: text on a terminal, a widget in a notebook that has ipywidgets."""

from __future__ import annotations

import warnings
from typing import Any

# Seconds after which a bar is shown: a short job shows none.
DELAY_SECONDS = 1.0


class Bar:
    """Shows the events of a job."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self._bar: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def take(self, event: dict[str, Any]) -> None:
        """Takes an event."""
        if self.shown and event["event"] == "progress" and event["elapsed_seconds"] >= DELAY_SECONDS:
            self._show(event)

    def _show(self, progress: dict[str, Any]) -> None:
        if self._bar is None:
            self._bar = bar(progress["parents"])
        self._bar.total = progress["parents"]
        counts = progress["counts"]
        if settling := progress.get("settling"):
            doing, of = "settling", settling["of"]
            self._bar.total, self._bar.n = of, settling["done"]
        else:
            doing = f"step {progress['step']} of {progress['steps']}" if progress["steps"] > 1 else ""
            self._bar.n = counts["parents_read"] - progress["earlier_rows"]
        self._bar.set_description_str(doing, refresh=False)
        made, unique = counts["products_made"], counts["products_unique"]
        self._bar.set_postfix_str(f"{made:,} products, {unique:,} unique", refresh=False)
        self._bar.refresh()


def bar(rows: int) -> Any:
    with warnings.catch_warnings():
        # tqdm says what a notebook lacks for a widget; the bar is text then.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

        return tqdm(total=rows, unit=" rows", unit_scale=True, leave=False)
