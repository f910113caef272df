#!/usr/bin/env python3
"""Writes the types of settings and answers (FILES, in src/molsieve) from the program's own definitions.

usage: python/generate.py MOLSIEVE [--check]

Settings and the daemon's answers come from the OpenAPI document that `molsieve serve` gives. Which verb has a setting,
and whether its values are joined by commas, comes from `molsieve VERB --help`. The manifest and the answers with --json
are the structs of src/ that the program writes them from. With --check nothing is written; the exit status is 1 if a
file is out of date.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "src" / "molsieve"
WIDTH = 116

# What the structs of the manifest and of the answers are in, and those to begin with.
SOURCES = ["report/manifest.rs", "report/reagents.rs", "report/timeline.rs", "report/event.rs", "report/answer.rs"]
SOURCES += ["account.rs", "plan/items.rs", "diff.rs", "route.rs"]
# The files, and the structs that each begins with.
FILES = {"_settings.py": [], "_daemon_answers.py": [], "_manifest.py": ["Manifest"]}
FILES["_verb_answers.py"] = ["Planned", "Difference"]
STRUCT = re.compile(r"((?:^///[^\n]*\n|^#\[[^\n]*\n)+)^pub struct (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
RUST_TYPES = {
    "String": "str",
    "PathBuf": "str",
    "&'static str": "str",
    "Cow<'static, str>": "str",
    "bool": "bool",
    **dict.fromkeys(["u8", "u16", "u32", "u64"], "int"),
    "f64": "float",
    **dict.fromkeys(["Dedup", "Task", "KeyKind", "SmilesForm", "RejectCode"], "str"),
    **dict.fromkeys(["RejectCounts", "CleanStepCounts"], "dict[str, int]"),
}
# Settings that the functions of the package take by another way.
NOT_SETTINGS = {"input", "output", "rules", "task"}
# Flags that are no settings of a job file, with their help.
MODES = {
    "overwrite": "Replace the files of an earlier job in the output directory.",
    "resume": "Continue from the last checkpoint in the output directory.",
}


def openapi(program: str) -> dict[str, Any]:
    """The document of a daemon that runs only for this."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        budget = "--memory 1GiB --threads 1 --gpus 0".split()
        serve = [program, "serve", "--socket", path, "--state", f"{folder}/state", *budget]
        daemon = subprocess.Popen(serve, stderr=subprocess.DEVNULL)
        try:
            return fetch(path, daemon)
        finally:
            daemon.terminate()
            daemon.wait()


def fetch(path: str, daemon: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and daemon.poll() is None:
        with socket.socket(socket.AF_UNIX) as stream:
            try:
                stream.connect(path)
            except OSError:
                time.sleep(0.05)
                continue
            connection = http.client.HTTPConnection("molsieve")
            connection.sock = stream
            connection.request("GET", "/v1/openapi.json")
            document: dict[str, Any] = json.load(connection.getresponse())
            return document
    sys.exit("generate: the daemon does not answer")


def flags(program: str, verb: str) -> dict[str, str]:
    """The flags of a verb, each with the name of its value."""
    text = subprocess.run([program, verb, "--help"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^ +(?:-\w, )?--([a-z-]+)([ =\[<].*)?$", text, re.MULTILINE)
    return {name.replace("-", "_"): value.strip() for name, value in found}


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def literal(values: list[Any]) -> str:
    return f"Literal[{', '.join(json.dumps(value) for value in values if value is not None)}]"


def wrapped(text: str, indent: str) -> list[str]:
    """A docstring."""
    text = " ".join(text.split()).replace("\\", "\\\\")
    if text and text[-1] not in ".:?!":
        text += "."
    wrapper = textwrap.TextWrapper(WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
    return wrapper.wrap(f'"""{text}"""')


class Settings:
    """_settings.py: what the functions of the package take, and how it is passed on."""

    def __init__(self, document: dict[str, Any], program: str) -> None:
        self.properties = document["components"]["schemas"]["JobSettings"]["properties"]
        self.verbs = {verb: flags(program, verb) for verb in ("run", "dedup")}
        self.aliases: dict[str, str] = {}

    def alias(self, name: str, values: list[Any]) -> str:
        """The name of the type of these values: one for each list of values."""
        shape = literal(values)
        for known, other in self.aliases.items():
            if other == shape:
                return known
        self.aliases[camel(name)] = shape
        return camel(name)

    def type_of(self, name: str, schema: dict[str, Any]) -> str:
        if name == "exclude":
            return "AnyPaths"
        if name.endswith("_column"):
            return "str | int"
        if name == "step":
            return "Sequence[Step]"
        if "anyOf" in schema:
            types = [self.type_of(name, part) for part in schema["anyOf"] if part != {"type": "null"}]
            return " | ".join(dict.fromkeys(types))
        if "enum" in schema:
            return self.alias(name, schema["enum"])
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind = next(kind for kind in kinds if kind != "null")
        if kind == "array":
            item = self.type_of(name, schema["items"])
            return f"{item} | Sequence[{item}]"
        return {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}[str(kind)]

    def how(self, name: str) -> str:
        """How a setting becomes arguments of the program."""
        if name == "step":
            return "table"
        value = next(verb[name] for verb in self.verbs.values() if name in verb)
        if not value:
            return "switch"
        if "…>" in value:
            return "list" if value.startswith("<") else "switch or list"
        kinds = self.properties[name].get("type", [])
        return "repeated" if "array" in kinds else "value"

    def lines(self) -> list[str]:
        names = [name for name in self.properties if name not in NOT_SETTINGS]
        types = {name: self.type_of(name, self.properties[name]) for name in names}
        classes: list[str] = []
        flags_of = []
        shared = [name for name in names if all(name in verb for verb in self.verbs.values())]
        classes += self.settings("Settings", "TypedDict", "Settings that all jobs have.", shared, types)
        for verb, its in self.verbs.items():
            own = [name for name in names if name not in shared and (name in its or (verb, name) == ("run", "step"))]
            classes += self.settings(
                f"{verb.capitalize()}Settings", "Settings", f"Settings of `molsieve.{verb}`.", own, types
            )
        for name in [*names, *MODES]:
            verbs = [verb for verb, its in self.verbs.items() if name in its] or ["run"]
            how = "switch" if name in MODES else self.how(name)
            flags_of.append(f'    "{name}": Flag("{how}", {json.dumps(verbs)}),')
        classes += ["class AllSettings(RunSettings, DedupSettings, total=False):", ALL_DOC, "", ""]
        aliases = [f"{name} = {shape}" for name, shape in self.aliases.items()]
        aliases = [line for alias in aliases for line in wrap_alias(alias)]
        return [*SETTINGS_HEAD, *aliases, "", "", *STEP, "", "", *classes, *FLAG, *flags_of, "}"]

    def settings(self, name: str, base: str, doc: str, names: list[str], types: dict[str, str]) -> list[str]:
        lines = [f"class {name}({base}, total=False):", f'    """{doc}"""', ""]
        for setting in names:
            lines += [f"    {setting}: {types[setting]} | None"]
            lines += wrapped(first_sentence(self.properties[setting].get("description", "")), "    ")
        if base == "TypedDict":
            for mode, its_doc in MODES.items():
                lines += [f"    {mode}: bool", f'    """{its_doc}"""']
        return [*lines, "", ""]


def first_sentence(text: str, schema: str = "JobSettings") -> str:
    """The help of a setting in one line, which its description begins with; of others the whole description."""
    return text.partition("\n")[0] if schema == "JobSettings" else text


def wrap_alias(alias: str) -> list[str]:
    if len(alias) <= WIDTH:
        return [alias]
    name, values = alias.split(" = Literal[")
    lines = textwrap.wrap(values.removesuffix("]"), WIDTH, initial_indent="    ", subsequent_indent="    ")
    return [f"{name} = Literal[", *lines, "]"]


class Answers:
    """What the daemon and the program answer."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas = document["components"]["schemas"]
        self.structs: dict[str, str] = {}
        for source in SOURCES:
            text = (ROOT / "src" / source).read_text()
            for head, name, body in STRUCT.findall(text):
                docs = [line.strip().removeprefix("///").strip() for line in head.split("\n") if "///" in line]
                self.structs[name] = f"{' '.join(docs)}\n{body}"

    def of_daemon(self) -> list[str]:
        lines = [*head("Answers of the daemon", "Any, Literal, TypedDict")]
        for name, schema in self.schemas.items():
            lines += self.of_schema(name, schema)
        return lines[:-2]

    def of_program(self, roots: list[str]) -> list[str]:
        structs = self.reachable(roots)
        kinds = [kind for name in structs for _, kind, _, _ in fields(self.structs[name])]
        shared = sorted({kind for kind in kinds if kind in self.schemas})
        imports = ["", f"from ._daemon_answers import {', '.join(shared)}"] if shared else []
        lines = [*head("Answers of the program", "TypedDict", *imports)]
        for name in structs:
            lines += self.of_struct(name)
        return lines[:-2]

    def of_schema(self, name: str, schema: dict[str, Any]) -> list[str]:
        if "enum" in schema:
            return [*wrap_alias(f"{name} = {literal(schema['enum'])}"), *wrapped(schema["description"], ""), "", ""]
        required = schema.get("required", [])
        properties = {
            key: (self.type_of(value), first_sentence(value.get("description", ""), name), key in required)
            for key, value in schema["properties"].items()
        }
        return typed_dict(name, schema["description"], properties)

    def type_of(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            return str(schema["$ref"].rsplit("/", 1)[1])
        if parts := schema.get("anyOf") or schema.get("oneOf"):
            return " | ".join(dict.fromkeys(self.type_of(part) for part in parts))
        if "enum" in schema:
            return literal(schema["enum"]) + (" | None" if None in schema["enum"] else "")
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return " | ".join(self.of_kind(kind, schema) for kind in kinds)

    def of_kind(self, kind: str, schema: dict[str, Any]) -> str:
        if kind == "array":
            return f"list[{self.type_of(schema['items'])}]"
        if kind == "object":
            values = schema.get("additionalProperties")
            return f"dict[str, {self.type_of(values) if isinstance(values, dict) else 'Any'}]"
        return {"boolean": "bool", "integer": "int", "number": "float", "string": "str", "null": "None"}[kind]

    def reachable(self, roots: list[str]) -> list[str]:
        """The structs to write, those that others name first."""
        order: list[str] = []

        def visit(name: str) -> None:
            if name in order or name in self.schemas:
                return
            for _, kind, _, _ in fields(self.structs[name]):
                for word in re.findall(r"\w+", kind):
                    if word in self.structs and word not in RUST_TYPES:
                        visit(word)
            order.append(name)

        for name in roots:
            visit(name)
        return order

    def of_struct(self, name: str) -> list[str]:
        properties = {
            field: (self.of_rust(kind), doc, required) for field, kind, doc, required in fields(self.structs[name])
        }
        doc = self.structs[name].split("\n", 1)[0]
        return typed_dict(name, "What a job made, from what, and how." if name == "Manifest" else doc, properties)

    def of_rust(self, kind: str) -> str:
        if kind in RUST_TYPES:
            return RUST_TYPES[kind]
        if match := re.fullmatch(r"Option<(.+)>", kind):
            return f"{self.of_rust(match[1])} | None"
        if match := re.fullmatch(r"Vec<(.+)>|\[(.+); \d+\]", kind):
            return f"list[{self.of_rust(match[1] or match[2])}]"
        if match := re.fullmatch(r"BTreeMap<String, (.+)>", kind):
            return f"dict[str, {self.of_rust(match[1])}]"
        if kind in self.structs or kind in self.schemas:
            return kind
        sys.exit(f"generate: no type for {kind}")


def fields(struct: str) -> list[tuple[str, str, str, bool]]:
    """The fields of a struct: name, type, documentation, and whether it is always written."""
    found = []
    docs: list[str] = []
    always = True
    for line in map(str.strip, struct.split("\n")[1:]):
        if line.startswith("///"):
            docs.append(line.removeprefix("///").strip())
        elif line.startswith("#["):
            always = always and "skip_serializing_if" not in line
        elif match := re.fullmatch(r"pub (\w+): (.+),", line):
            found.append((match[1], match[2], " ".join(docs), always))
            docs, always = [], True
    return found


def typed_dict(name: str, doc: str, properties: dict[str, tuple[str, str, bool]]) -> list[str]:
    """A TypedDict; the keys that can be missing are in a class of their own, as Python 3.10 wants it."""
    always = {key: value for key, value in properties.items() if value[2]}
    missing = {key: value for key, value in properties.items() if not value[2]}
    doc_lines = wrapped(doc, "    ")
    if always and missing:
        first = [f"class _{name}Always(TypedDict):", *members(always), "", ""]
        return [*first, f"class {name}(_{name}Always, total=False):", *doc_lines, "", *members(missing), "", ""]
    total = ", total=False" if missing else ""
    return [f"class {name}(TypedDict{total}):", *doc_lines, "", *members(properties), "", ""]


def members(properties: dict[str, tuple[str, str, bool]]) -> list[str]:
    lines = []
    for key, (kind, doc, _) in properties.items():
        lines += [f"    {key}: {kind}", *(wrapped(doc, "    ") if doc else [])]
    return lines


SETTINGS_HEAD = '''"""Settings of jobs. python/generate.py writes this file from the program's own definitions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

AnyPath = str | os.PathLike[str]
"""A file or a folder."""
AnyPaths = AnyPath | Sequence[AnyPath]
"""One or more of them."""
'''.split("\n")

STEP = '''class _StepAlways(TypedDict):
    rules: AnyPaths
    """Rule files of the step."""


class Step(_StepAlways, total=False):
    """A step with rules and filters of its own."""

    alerts: Alerts | Sequence[Alerts]
    reject_smarts: str | Sequence[str]
    require_smarts: str | Sequence[str]
    where: str | Sequence[str]'''.split("\n")

ALL_DOC = '    """Settings of either."""'

FLAG = '''class Flag(NamedTuple):
    """How a setting is passed to the program, and which functions have it."""

    how: Literal["switch", "value", "list", "switch or list", "repeated", "table"]
    verbs: list[str]


FLAGS = {'''.split("\n")


def head(what: str, names: str, *imports: str) -> list[str]:
    doc = f'"""{what}. python/generate.py writes this file from their definitions."""'
    return [doc, "", "from __future__ import annotations", "", f"from typing import {names}", *imports, "", ""]


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print(__doc__, file=sys.stderr)
        return 2
    document = openapi(arguments[0])
    answers = Answers(document)
    stale = False
    for name, roots in FILES.items():
        path = PACKAGE / name
        if roots:
            lines = answers.of_program(roots)
        else:
            lines = Settings(document, arguments[0]).lines() if name == "_settings.py" else answers.of_daemon()
        text = "\n".join(lines) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale = True
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is out of date; run python/generate.py MOLSIEVE", file=sys.stderr)
        else:
            path.write_text(text)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
