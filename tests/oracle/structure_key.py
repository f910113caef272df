"""Proves on libraries that `molsieve key` tells molecules apart exactly as RDKit's canonical SMILES does.

usage: structure_key.py LIBRARY... [--writings N] [--limit N] [--seed N] [--processes N] [--binary PATH]
                        [--report FILE.json] [--list N] [--reparse]

LIBRARY: .smi (SMILES, then an id), .csv with a column SMILES, either with .gz, or the molsets wheel. Every
molecule is written in several ways: as the line has it, at random, at random in Kekulé form, at random with
hydrogens as atoms, canonical, then more of the random ones. What is counted, over all libraries together:

false split    two writings of one molecule, or two lines with one canonical SMILES, have two keys
false merge    two lines with different canonical SMILES have one key
disagreement   molsieve takes a writing that RDKit does not, or the other way round
unstable       not molsieve's doing: RDKit itself reads a writing it made as another molecule or not at all,
               or writes two molecules that share a key alike when they are first rewritten at random, or has
               several canonical SMILES (canonical_forms) for one that is split when it is rewritten

A writing is read back by RDKit only when its key is not that of its line; --reparse reads all of them, and
then also lists as unstable what RDKit tells apart and molsieve does not. The same arguments give the same
writings. Exit status: 0 proven, 1 a false split, a false merge or a disagreement, 2 nothing was proven.
"""

import argparse
import csv
import gzip
import io
import itertools
import json
import os
import random
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import mmh3
import numpy as np
from rdkit import Chem, RDLogger

CHUNK_MOLECULES = 5_000
# Of each kind of case and each library; all are counted. A case is less than 1 KiB.
CASES_KEPT_MAX = 10_000
# Pairs of lines, of each of the two kinds, that are read again and judged; the rest are counted as found.
PAIRS_JUDGED_MAX = 10_000
PAIR_REWRITINGS, SPLIT_REWRITINGS = 8, 32
# In each chunk: whether RDKit has one canonical SMILES for the molecule however it is rewritten.
SPLITS_LOOKED_INTO_MAX = 50
BINARY_SECONDS_MAX = 600
# A line that RDKit and molsieve both take: all that is kept of it.
ROW = np.dtype([("library", "u2"), ("number", "u4"), ("key", "u8", 2), ("hash", "u8", 2)])
FAILURES = ("false merge", "false split", "disagreement")


def texts(path):
    """The text files in a library: the molsets wheel has two."""
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            for part in ("train", "test"):
                with wheel.open(f"moses/dataset/data/{part}.csv.gz") as packed:
                    yield io.TextIOWrapper(gzip.GzipFile(fileobj=packed), encoding="utf-8-sig")
        return
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as text:
        yield text


def table_rows(text):
    rows = csv.reader(text)
    header = [name.strip().lower() for name in next(rows, [])]
    if "smiles" not in header:
        raise ValueError("no column SMILES")
    column = header.index("smiles")
    name = next((header.index(name) for name in ("id", "name") if name in header), None)
    for row in rows:
        cell = row[column].split() if column < len(row) else []
        if cell:
            yield cell[0], row[name] if name is not None and name < len(row) else ""


def read_library(path):
    """(number of the molecule from 0, SMILES, id) of every line that has a SMILES."""
    table = path.endswith((".whl", ".csv", ".csv.gz"))
    number = 0
    for text in texts(path):
        for fields in table_rows(text) if table else (line.split(maxsplit=1) for line in text):
            if fields:
                yield number, fields[0], fields[1].strip() if len(fields) > 1 else ""
                number += 1


def parsed(text):
    """A molecule and its canonical SMILES, or None twice."""
    try:
        mol = Chem.MolFromSmiles(text)
        return (mol, Chem.MolToSmiles(mol)) if mol else (None, None)
    except (ValueError, RuntimeError):
        return None, None


def at_random(mol, seed, **form):
    return Chem.MolToRandomSmilesVect(mol, 1, randomSeed=seed, **form)[0]


def kekule(mol, seed):
    mol = Chem.Mol(mol)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return at_random(mol, seed, kekuleSmiles=True)


def with_hydrogens(mol, seed):
    return at_random(Chem.AddHs(mol), seed)


def canonical(mol, _):
    return Chem.MolToSmiles(mol)


RANDOM_WRITERS = [("random", at_random), ("kekule", kekule), ("hydrogens", with_hydrogens)]


def writers(count):
    """The ways of writing a molecule beside the one it is given in."""
    endless = itertools.chain(RANDOM_WRITERS, [("canonical", canonical)], itertools.cycle(RANDOM_WRITERS))
    return list(itertools.islice(endless, count - 1))


@dataclass
class Molecule:
    number: int
    name: str
    canonical: str | None
    writings: list


@dataclass
class Job:
    library: int
    chunk: int
    lines: list
    arguments: argparse.Namespace


@dataclass
class Found:
    """What a chunk, or a library, has shown."""

    counts: Counter = field(default_factory=Counter)
    lines_by_reason: Counter = field(default_factory=Counter)
    writings_by_reason: Counter = field(default_factory=Counter)
    cases: list = field(default_factory=list)
    kept: Counter = field(default_factory=Counter)
    binary_seconds: float = 0.0

    def case(self, kind, **details):
        self.counts[kind] += 1
        self.keep({"kind": kind, **details})

    def keep(self, case):
        if self.kept[case["kind"]] < CASES_KEPT_MAX:
            self.kept[case["kind"]] += 1
            self.cases.append(case)

    def add(self, chunk):
        for name in ("counts", "lines_by_reason", "writings_by_reason"):
            getattr(self, name).update(getattr(chunk, name))
        for case in chunk.cases:
            self.keep(case)
        self.binary_seconds += chunk.binary_seconds


def words(value):
    return struct.unpack(">QQ", value)


def read_molecule(line, ways, pick, found):
    number, text, name = line
    mol, form = parsed(text)
    written = [("original", text)]
    for way, write in ways if mol else []:
        try:
            written.append((way, write(mol, pick.randrange(1, 2**31))))
        except (ValueError, RuntimeError):
            found.counts["not written"] += 1
    return Molecule(number, name, form, written)


def ask(binary, sent):
    """The key of every SMILES (or why it has none, as text) and why it took RDKit; and the seconds it took."""
    started = time.monotonic()
    run = subprocess.run([binary, "key", "--explain"], input="".join(f"{text}\n" for text in sent).encode(),
                         capture_output=True, timeout=BINARY_SECONDS_MAX)
    seconds = time.monotonic() - started
    answers = run.stdout.decode().split("\n")[:-1]
    if run.returncode not in (0, 4) or len(answers) != len(sent):  # 4: done, and some lines have no key
        raise RuntimeError(f"{binary} ended with {run.returncode}, {len(answers):,} lines for {len(sent):,}: "
                           f"{run.stderr.decode(errors='replace')[-500:]}")
    return [answer(line, text) for line, text in zip(answers, sent)], seconds


def answer(line, text):
    key, given, *reason = line.split("\t")
    if given != text or len(reason) > 1:
        raise RuntimeError(f"the answer to {text} is {line!r}")
    if not key.startswith("error: "):
        if not re.fullmatch("[0-9a-fA-F]{32}", key):
            raise RuntimeError(f"no key of 32 hex digits: {line!r}")
        key = bytes.fromhex(key)
    return key, "".join(reason)


def shown(key):
    return key.hex() if isinstance(key, bytes) else key


def prove_chunk(job):
    found, rows = Found(), []
    pick = random.Random(f"{job.arguments.seed} {job.library} {job.chunk}")
    ways = writers(job.arguments.writings)
    molecules = [read_molecule(line, ways, pick, found) for line in job.lines]
    sent = [text for molecule in molecules for _, text in molecule.writings]
    answers, found.binary_seconds = ask(job.arguments.binary, sent)
    remaining = iter(answers)
    for molecule in molecules:
        key = judge(molecule, [next(remaining) for _ in molecule.writings], job, found)
        if key:
            rows.append((job.library, molecule.number, words(key), words(mmh3.hash_bytes(molecule.canonical))))
    return found, np.array(rows, ROW)


def judge(molecule, answers, job, found):
    """Counts what the answers show; gives the key of a molecule that both take."""
    key, reason = answers[0]
    has_key = isinstance(key, bytes)
    about = {"library": job.library, "number": molecule.number, "id": molecule.name,
             "smiles": molecule.writings[0][1], "canonical": molecule.canonical, "key": shown(key)}
    if has_key != (molecule.canonical is not None):
        found.case("disagreement", taken_only_by="molsieve" if has_key else "RDKit", **about)
    if molecule.canonical is None:
        found.counts["rejected by both"] += not has_key
        return None
    found.counts["molecules"] += 1
    found.counts["writings"] += len(answers)
    found.lines_by_reason.update([reason] if reason else [])
    found.writings_by_reason.update(reason for _, reason in answers if reason)
    if not has_key:
        return None
    for (way, text), (other, _) in zip(molecule.writings[1:], answers[1:]):
        if other != key or job.arguments.reparse:
            judge_writing(about, key, (way, text, other), job.arguments.seed, found)
    return key


def judge_writing(about, key, writing, seed, found):
    way, text, other = writing
    form = parsed(text)[1]
    details = {**about, "way": way, "writing": text, "writing_canonical": form, "writing_key": shown(other)}
    if form != about["canonical"]:
        found.case("unstable", **details)
    elif not isinstance(other, bytes):
        found.case("disagreement", taken_only_by="RDKit", **details)
    elif other != key:
        if found.counts["false split"] < SPLITS_LOOKED_INTO_MAX:
            seen = [forms(one, seed, SPLIT_REWRITINGS)[1] for one in (about["smiles"], text)]
            details["canonical_forms"] = len(set.union(*seen))
        found.case("unstable" if details.get("canonical_forms", 1) > 1 else "false split", **details)


def jobs(library, path, arguments):
    lines = itertools.islice(read_library(path), arguments.limit)
    for chunk in itertools.count():
        batch = list(itertools.islice(lines, CHUNK_MOLECULES))
        if not batch:
            return
        yield Job(library, chunk, batch, arguments)


def done_in_order(pool, task, work, ahead):
    """As the pool's map, but reads no more than so many pieces of work ahead."""
    pending = deque()
    for piece in work:
        pending.append(pool.submit(task, piece))
        if len(pending) == ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def firsts_of(*columns):
    """Rows in order of the columns, of those with the same values only the first in the libraries."""
    order = np.lexsort([column[:, word] for column in reversed(columns) for word in (1, 0)])
    fresh = np.arange(len(order)) == 0
    for column in columns:
        fresh[1:] |= (column[order[1:]] != column[order[:-1]]).any(axis=1)
    return order[fresh]


def clashes(same, other):
    """Pairs of rows that agree in `same` and not in `other`, one for each value of `other` beyond the first."""
    rows = firsts_of(same, other)
    alike = (same[rows[1:]] == same[rows[:-1]]).all(axis=1)
    pairs = np.sort(np.stack([rows[:-1][alike], rows[1:][alike]], axis=1), axis=1)
    return pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]


def lines_of(rows, paths):
    """The lines that rows come from, by library and number."""
    lines = {}
    for library, path in enumerate(paths):
        wanted = set(rows["number"][rows["library"] == library].tolist())
        if wanted:
            lines.update(((library, line[0]), line) for line in read_library(path) if line[0] in wanted)
    return lines


def forms(text, seed, rewritings):
    """The canonical forms that RDKit has for a molecule, as it is given and rewritten."""
    mol, form = parsed(text)
    rewritten = Chem.MolToRandomSmilesVect(mol, rewritings, randomSeed=seed)
    return form, ({form} | {parsed(again)[1] for again in rewritten}) - {None}


def judge_pairs(kind, rows, pairs, found, arguments):
    """Adds pairs of lines that clash to what is found in the library of the later line."""
    unjudged = Counter(rows["library"][pairs[PAIRS_JUDGED_MAX:, 1]].tolist())
    for library, count in unjudged.items():
        found[library].counts.update({kind: count, "not judged": count})
    pairs = rows[pairs[:PAIRS_JUDGED_MAX]]
    lines = lines_of(pairs.ravel(), arguments.libraries)
    for pair in pairs:
        case, known = {}, []
        for prefix, row in zip(("other_", ""), pair):
            number, text, name = lines[int(row["library"]), int(row["number"])]
            form, rewritten = forms(text, arguments.seed, PAIR_REWRITINGS)
            known.append(rewritten)
            case |= {f"{prefix}library": int(row["library"]), f"{prefix}number": number, f"{prefix}id": name,
                     f"{prefix}smiles": text, f"{prefix}canonical": form, f"{prefix}canonical_forms": len(rewritten),
                     f"{prefix}key": row["key"].astype(">u8").tobytes().hex()}
        unstable = known[0] & known[1] if kind == "false merge" else max(map(len, known)) > 1
        found[case["library"]].case("unstable" if unstable else kind, way="another line", **case)


def prove(arguments):
    """What is found in each library, and the number of distinct canonical SMILES in each and in all."""
    found, parts, ahead = [], [], 2 * arguments.processes
    with ProcessPoolExecutor(arguments.processes, initializer=RDLogger.DisableLog, initargs=("rdApp.*",)) as pool:
        for library, path in enumerate(arguments.libraries):
            found.append(Found())
            for chunk, rows in done_in_order(pool, prove_chunk, jobs(library, path, arguments), ahead):
                found[-1].add(chunk)
                parts.append(rows)
                if len(parts) % 20 == 0:
                    print(f"{path}: {found[-1].counts['molecules']:,} molecules", file=sys.stderr, flush=True)
    rows = np.concatenate([np.empty(0, ROW), *parts])
    del parts
    judge_pairs("false merge", rows, clashes(rows["key"], rows["hash"]), found, arguments)
    judge_pairs("false split", rows, clashes(rows["hash"], rows["key"]), found, arguments)
    hashes = [rows["hash"][rows["library"] == library] for library in range(len(found))]
    return found, [len(firsts_of(column)) for column in (*hashes, rows["hash"])]


def summary(name, found, distinct):
    molecules = found.counts["molecules"]
    names = ("molecules", "writings", *FAILURES, "unstable", "rejected by both", "not written",
             "not judged")
    return {
        "library": name, "distinct_canonical": distinct,
        **{name.replace(" ", "_"): found.counts[name] for name in names},
        "fallback": found.lines_by_reason.total(),
        "fallback_share": found.lines_by_reason.total() / max(molecules, 1),
        "fallback_reasons": dict(found.lines_by_reason.most_common()),
        "fallback_writings": found.writings_by_reason.total(),
        "fallback_writings_reasons": dict(found.writings_by_reason.most_common()),
        "binary_seconds": round(found.binary_seconds, 3),
    }


def tell(summaries):
    width = max(len(line["library"]) for line in summaries)
    heads = ("molecules", "distinct", "writings")
    print(f"{'':{width}}", *(f"{head:>11}" for head in heads),
          "  merges   splits disagree unstable rejected fallback  binary s")
    for line in summaries:
        counts = [line[name] for name in ("molecules", "distinct_canonical", "writings")]
        faults = [line[name] for name in ("false_merge", "false_split", "disagreement", "unstable", "rejected_by_both")]
        print(f"{line['library']:{width}}", *(f"{count:11,}" for count in counts), *(f"{count:8,}" for count in faults),
              f"{line['fallback_share']:8.3%} {line['binary_seconds']:9,.1f}")
    remarks = {"not_written": "writings could not be made", "not_judged": "clashing pairs were counted as found"}
    for line in summaries:
        for reason, writings in line["fallback_writings_reasons"].items():
            lines = line["fallback_reasons"].get(reason, 0)
            print(f"{line['library']}: {reason}: {lines:,} molecules, {lines / max(line['molecules'], 1):.3%}; "
                  f"{writings:,} writings, {writings / max(line['writings'], 1):.3%}")
        for name, remark in remarks.items():
            if line[name]:
                print(f"{line['library']}: {line[name]:,} {remark}")


def list_cases(cases, shown_max):
    for kind in (*FAILURES, "unstable"):
        for case in [case for case in cases if case["kind"] == kind][:shown_max]:
            print(f"\n{kind}")
            for name, value in case.items():
                if name != "kind":
                    print(f"  {name:16} {value}")


def arguments_given():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("libraries", nargs="+", metavar="LIBRARY")
    parser.add_argument("--writings", type=int, default=4, help="of each molecule, the line itself among them (4)")
    parser.add_argument("--limit", type=int, help="lines to read of each library")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--binary", default=os.environ.get("MOLSIEVE", str(root / "target/release/molsieve")))
    parser.add_argument("--report", help="where to write all of it as JSON")
    parser.add_argument("--list", type=int, default=10, help="cases to show of each kind (10)")
    parser.add_argument("--reparse", action="store_true", help="have RDKit read every writing")
    arguments = parser.parse_args()
    if arguments.writings < 1 or arguments.processes < 1 or arguments.seed < 1:
        parser.error("--writings, --processes and --seed need a whole number above 0")
    return arguments


def main():
    arguments = arguments_given()
    RDLogger.DisableLog("rdApp.*")
    try:
        found, distinct = prove(arguments)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        print(f"structure_key: {error}", file=sys.stderr)
        return 2
    total = Found()
    for library in found:
        total.add(library)
    summaries = [summary(*line) for line in zip((*arguments.libraries, "all"), (*found, total), distinct)]
    tell(summaries if len(found) > 1 else summaries[:1])
    cases = [case for part in found for case in part.cases]
    for case in cases:
        case.update({name: arguments.libraries[case[name]] for name in ("library", "other_library") if name in case})
    list_cases(cases, arguments.list)
    if arguments.report:
        settings = {name: value for name, value in vars(arguments).items() if name != "report"}
        report = {"settings": settings, "libraries": summaries[:-1], "all": summaries[-1], "cases": cases}
        Path(arguments.report).write_text(json.dumps(report, indent=1) + "\n")
    if not total.counts["molecules"]:
        print("structure_key: no molecules", file=sys.stderr)
        return 2
    failures = sum(total.counts[kind] for kind in FAILURES)
    print(f"\n{failures:,} failures" if failures else f"\n{total.counts['writings']:,} writings: keys tell molecules "
          "apart as canonical SMILES do")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
