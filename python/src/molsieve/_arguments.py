"""Settings as arguments of the program."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._settings import FLAGS

JOB_FILE = "job.toml"


def check_names(verb: str, settings: Iterable[str]) -> None:
    """Raises TypeError for a setting that the function has not, with the nearest names."""
    for name in settings:
        if name not in FLAGS:
            known = [flag for flag, its in FLAGS.items() if verb in its.verbs]
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(f"molsieve.{verb} has no setting {name!r}{hint}")
        if verb not in FLAGS[name].verbs:
            raise TypeError(f"molsieve.{verb} has no setting {name!r}; molsieve.{FLAGS[name].verbs[0]} has")


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """The flags for these settings, without those that [`job_file`] has."""
    found = []
    for name, value in settings.items():
        if value is None or value is False or in_job_file(name, value):
            continue
        flag = "--" + name.replace("_", "-")
        if value is True:
            found.append(flag if "switch" in FLAGS[name].how else f"{flag}=all")
        elif FLAGS[name].how == "repeated":
            found += [f"{flag}={text(item)}" for item in items(value)]
        else:
            found.append(f"{flag}={','.join(text(item) for item in items(value))}")
    return found


def in_job_file(name: str, value: Any) -> bool:
    """Whether a setting can't be a flag: steps with rules of their own, and names with a comma in them."""
    how = FLAGS[name].how
    if how == "table":
        return True
    return "list" in how and not isinstance(value, (str, bool)) and any("," in item for item in value)


def job_file(settings: Mapping[str, Any]) -> str:
    """The job file for the settings that can't be flags; empty if there are none."""
    lines = []
    tables = []
    for name, value in settings.items():
        if value is None or not in_job_file(name, value):
            continue
        if FLAGS[name].how == "table":
            tables += [line for step in steps_of(value) for line in ("[[step]]", *table_lines(step))]
        else:
            lines.append(f"{name} = {toml([text(item) for item in value])}")
    return "\n".join([*lines, *tables, ""]) if lines or tables else ""


def steps_of(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, (list, tuple)) and all(isinstance(step, Mapping) for step in value):
        return list(value)
    raise TypeError("step is a list of mappings, each with the rules of a step; steps=2 applies the same rules twice")


def table_lines(step: Mapping[str, Any]) -> list[str]:
    """The lines of a step. Its rule files are absolute, because the job file is in another folder."""
    lines = []
    for name, value in step.items():
        values = [text(item) for item in items(value)]
        if name == "rules":
            values = [os.path.abspath(path) for path in values]
        lines.append(f"{name} = {toml(values)}")
    return lines


def toml(values: list[str]) -> str:
    """A list of strings, which is the same in JSON and TOML but for one character."""
    return json.dumps(values, ensure_ascii=False).replace("\x7f", "\\u007f")


def items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def text(value: Any) -> str:
    return str(os.fspath(value)) if isinstance(value, (str, Path, os.PathLike)) else str(value)
