"""Random rules on random molecules, done three ways: the fast way, the reference, and the plain loop in Python;
and with --direct a fourth way, direct SMILES.

usage: generated.py --molsieve FILE [--seconds N] [--seed N] [--round N] [--threads N] [--direct]

A round makes some hundred molecules (random_molecules.py) and as many rules that match some of them (random_rules.py),
runs `molsieve run` on them both ways, runs the loop of plain_loop.py, and compares every row with its provenance, the
rejects and the counts. In the first round and each fourth after it, also every property: they take RDKit most of the time. Rounds follow until the seconds have passed; the same seed and round give the same molecules
and rules on any machine.

Where they differ, each pair of molecule and rule is done again by itself, and the loop in Python several hundred
times, each time with its memory laid out anew: RDKit goes through some double bonds in the order of their addresses,
so it has more than one answer for a few. A way that gives one of them is right. What remains is a true difference. It
is printed with the smallest molecule found that shows it, the rule and the three answers.

Exit status: 0 no true difference, 1 differences, 2 usage or unusable input.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path

import plain_loop
import properties
import pyarrow.parquet as pq
import random_molecules
import random_rules
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

MOLECULES = 100  # of a round
CANDIDATES = 400  # rules tried for a round, most of them no rules or without matches
OUTCOMES_OF_A_ROUND = 12_000
OUTCOMES_OF_A_RULE = 300  # rules with more would leave no room for others
OUTCOMES_OF_A_PAIR = 250
RULE_BYTES = 4096  # molsieve refuses longer ones
REPEATS, MANY_REPEATS = 30, 300  # of the loop in Python, before a difference is taken for a true one
MOLECULES_TRIED = 8  # with a new rule, to see whether RunReactants raises and whether products are valid
INVALID_KEPT = 0.15  # share that is kept of the rules without valid products
PARENTS_PER_CHUNK = 25
DESCRIBED_ONE_IN = 4  # rounds in which properties are compared
PAIRS_SINGLED_OUT = 40  # differing pairs of a round that are looked into; the rest is counted
PAIRS_OF_A_RULE = 3  # of these
SHOWN_OF_A_RULE = 1
JOINT_OF_A_ROUND = 3  # differences that take several rules
# The flags of each way.
WAYS = {"fast": ["--chemistry", "fast"], "reference": ["--chemistry", "reference"]}
# With --direct. Its SMILES are compared after RDKit has made them canonical.
DIRECT = {"direct": ["--smiles", "direct"]}
TRUE, REFUSED, NOT_LOOKED_INTO = "TRUE DIFFERENCES", "rules refused by molsieve only", "differing pairs not looked into"
PROPERTIES = "properties that differ"
FAILURES = (TRUE, REFUSED, NOT_LOOKED_INTO, PROPERTIES)
COUNTS = ("products_made", "products_invalid", "products_unchanged", "products_symmetric")


# ---- what is run ---------------------------------------------------------------------------------


@dataclass
class Round:
    name: str
    molecules: list
    rules: list  # SMIRKS
    describe: bool  # whether properties are compared too
    refused: list = field(default_factory=list)  # SMIRKS that one side takes and the other refuses


def make_round(seed, number):
    """Molecules, and rules that match some of them; no more matches than a round is to have."""
    pick = random.Random(f"{seed}/{number}")
    molecules = sorted({random_molecules.molecule(pick) for _ in range(MOLECULES)})
    pick.shuffle(molecules)
    pool = [Chem.MolFromSmiles(text) for text in molecules]
    rules, room = {}, OUTCOMES_OF_A_ROUND
    for _ in range(CANDIDATES):
        smirks = random_rules.rule(pick, pool)
        reaction = compiled(smirks)
        if reaction is None or smirks in rules or len(smirks) > RULE_BYTES:
            continue
        matches = [count_matches(mol, reaction) for mol in pool]
        outcomes = sum(matches) * reaction.GetNumProductTemplates()
        if 0 < outcomes <= min(room, OUTCOMES_OF_A_RULE) and max(matches) <= OUTCOMES_OF_A_PAIR and worth_running(reaction, pool, matches, pick):
            rules[smirks] = None
            room -= outcomes
    return Round(f"seed {seed} round {number}", molecules, list(rules), number % DESCRIBED_ONE_IN == 1)


def compiled(smirks):
    """The reaction, or None where RDKit refuses it or finds errors in it, as molsieve does."""
    try:
        reaction = AllChem.ReactionFromSmarts(smirks)
        if reaction.GetNumReactantTemplates() != 1 or reaction.GetNumProductTemplates() == 0:
            return None
        reaction.Initialize()
        return reaction if reaction.Validate(silent=True)[1] == 0 else None
    except (ValueError, RuntimeError):
        return None


def count_matches(mol, reaction):
    query = reaction.GetReactantTemplate(0)
    return len(mol.GetSubstructMatches(query, uniquify=False, maxMatches=OUTCOMES_OF_A_PAIR + 1))


def worth_running(reaction, pool, matches, pick):
    """False where RDKit raises instead of giving outcomes, and for most rules that give no valid product."""
    matching = [mol for mol, number in zip(pool, matches) if number]
    valid = False
    try:
        for mol in matching[:MOLECULES_TRIED]:
            outcomes = reaction.RunReactants((mol,))
            valid = valid or any(plain_loop.finished(product) for outcome in outcomes[:3] for product in outcome)
    except Exception:  # RDKit raises several types
        return False
    return valid or pick.random() < INVALID_KEPT


@dataclass
class Made:
    """What a way makes of molecules: for each SMILES (row, rule, site) of its first occurrence, rejects, counts."""

    products: dict
    rejects: dict  # row: reason
    counts: dict
    properties: dict  # SMILES: its properties by name
    on_graphs: int = 0
    described_by_rdkit: int = 0


class Molsieve:
    def __init__(self, program, threads):
        self.program, self.threads = program, threads

    def run(self, way, molecules, rules, describe=False):
        """What `molsieve run` makes. Ends the comparison if the program fails."""
        with tempfile.TemporaryDirectory(prefix="molsieve-generated-") as folder:
            library, rule_file, out = (Path(folder, name) for name in ("library.smi", "rules.toml", "out"))
            library.write_text("".join(f"{text} {row}\n" for row, text in enumerate(molecules)))
            write_rules(rule_file, rules)
            command = [self.program, "run", "--input", library, "--rules", rule_file, "--output", out, *WAYS[way],
                       "--threads", str(self.threads), "--memory", "1GiB", "--dedup", "exact",
                       "--expected-products", "100000", "--max-products-per-parent", "1000000", *["--properties"] * describe]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode not in (0, 4):
                raise Failed(done.returncode, done.stderr)
            return read_output(out, describe, reread if way == "direct" else str)

    def refused(self, rules):
        """Messages of `molsieve rules check` by the index of the rule."""
        with tempfile.TemporaryDirectory(prefix="molsieve-generated-") as folder:
            rule_file = Path(folder, "rules.toml")
            write_rules(rule_file, rules)
            command = [self.program, "rules", "check", rule_file]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return {}
        messages = {}
        for line in (done.stdout + done.stderr).splitlines():
            _, found, rest = line.partition('rule "r')
            if found:
                messages.setdefault(int(rest.partition('"')[0]), line)
        if not messages:
            raise Failed(done.returncode, done.stdout + done.stderr)
        return messages


class Failed(Exception):
    """molsieve ended with an exit code that is none of a finished job."""

    def __init__(self, code, text):
        super().__init__(f"molsieve ended with {code}: {text.strip()[-2000:]}")
        self.code = code


def write_rules(path, rules):
    path.write_text("".join(f"[[rule]]\nname = 'r{i}'\nsmirks = '{smirks}'\n" for i, smirks in enumerate(rules)))


def reread(smiles):
    """The canonical SMILES of what RDKit reads from a SMILES; the SMILES itself if RDKit can't read what it has written."""
    mol = Chem.MolFromSmiles(smiles)
    return Chem.MolToSmiles(mol) if mol else smiles


def read_output(out, describe, form):
    """`form`: makes the SMILES those that are compared."""
    products, described = {}, {}
    for part in sorted(out.glob("products/part-*.parquet")):
        table = pq.read_table(part, columns=["smiles", "parent_row", "rule", "site"])
        texts = [form(smiles) for smiles in table.column("smiles").to_pylist()]
        for smiles, row, rule, site in zip(texts, *(column.to_pylist() for column in table.columns[1:])):
            products.setdefault(smiles, (row, int(rule[1:]), site))
        if describe:
            values = pq.read_table(part, columns=list(properties.REFERENCE)).to_pylist()
            for smiles, value in zip(texts, values):
                described.setdefault(smiles, value)
    rejects = {}
    if (out / "rejects.parquet").exists():
        table = pq.read_table(out / "rejects.parquet").to_pylist()
        rejects = {row.get("row", row.get("parent_row")): row.get("reason", "") for row in table}
    manifest = json.loads((out / "manifest.json").read_text())
    made = manifest["chemistry_products"]
    return Made(products, rejects, manifest["counts"], described, made["on_graphs"], made["described_by_rdkit"])


# ---- the loop in Python --------------------------------------------------------------------------

_compiled = ("", [])


def python_rules(rules):
    """Compiled once for each round in each process."""
    global _compiled
    if _compiled[0] != rules:
        _compiled = (rules, [plain_loop.compiled((str(i), smirks, [], None, False)) for i, smirks in enumerate(rules)])
    return _compiled[1]


def python_chunk(molecules, rules, describe=False):
    """The loop's chunk of each molecule; its row is 0."""
    found = []
    for text in molecules:
        chunk = plain_loop.Chunk([], Counter(), [], [])
        parent = Chem.MolFromSmiles(text)
        if parent is None:
            chunk.rejected.append(0)
        else:
            plain_loop.products_of(parent, 0, python_rules(rules), chunk, properties.described if describe else None)
        found.append(chunk)
    return found


def gathered(chunks):
    """What the chunks of the molecules give together, as a job would."""
    products, counts, rejects, described = {}, Counter(), {}, {}
    for row, chunk in enumerate(chunks):
        for smiles, where in chunk.products:
            _, rule, site = plain_loop.placed(where)
            products.setdefault(smiles, (row, rule, site))
        for (smiles, _), values in zip(chunk.products, chunk.described):
            described.setdefault(smiles, values)
        counts.update(chunk.counts)
        if chunk.rejected:
            rejects[row] = "unreadable"
    return Made(products, rejects, {name: counts[name] for name in COUNTS}, described)


def python_answers(text, rules, repeats, seed):
    """What the loop answers when repeated: a set of answers, and for each outcome what it was.

    Before each repeat the heap is stirred, so that addresses of bonds come in another order.
    """
    stir = random.Random(seed)
    answers, options = set(), defaultdict(set)
    for repeat in range(repeats):
        if repeat:
            stirred(stir)
        reactions = [plain_loop.compiled((str(i), smirks, [], None, False)) for i, smirks in enumerate(rules)]
        chunk = plain_loop.Chunk([], Counter(), [], [])
        parent = Chem.MolFromSmiles(text)
        plain_loop.products_of(parent, 0, reactions, chunk)
        rows = tuple((smiles, *plain_loop.placed(where)[1:]) for smiles, where in chunk.products)
        answers.add((rows, tuple(chunk.counts[name] for name in COUNTS)))
        for index, rule in enumerate(reactions):
            for site, outcome in enumerate(plain_loop.outcomes_of(parent, 0, rule, chunk)):
                for number, product in enumerate(outcome):
                    options[index, site, number].add(plain_loop.finished(product))
    return answers, dict(options), Chem.MolToSmiles(parent)


_ballast = [Chem.MolFromSmiles("C/C=C/C=C\\C" * 4) for _ in range(8)]


def stirred(stir):
    """Frees molecules in random order, so that free memory is handed out in random order."""
    kept = [Chem.Mol(stir.choice(_ballast)) for _ in range(stir.randrange(20, 60))]
    stir.shuffle(kept)
    del kept[: stir.randrange(len(kept))]
    while kept:
        kept.pop()


def start_process():
    RDLogger.DisableLog("rdApp.*")


# ---- comparing -----------------------------------------------------------------------------------


def same_molecules(found, answer):
    """Whether rows and counts are those of an answer, if SMILES that RDKit reads as one molecule are one product. A template
    may have a hydrogen as an atom, which RDKit writes but does not read."""
    rows = [{}, {}]
    for texts, (made, *_) in zip(rows, (found, answer)):
        for smiles, *place in made:
            texts.setdefault(reread(smiles), place)
    counts, expected = found[1], answer[1]
    if len(rows[1]) < len(answer[0]):  # repeats among them count as symmetric, or as unchanged
        counts, expected = counts[:2], expected[:2]
    return rows[0] == rows[1] and counts == expected


def reads_otherwise(answer):
    """Whether RDKit reads another SMILES from one that it has written. It then can't say what a direct SMILES is."""
    return any(reread(smiles) != smiles for smiles, *_ in answer[0])


def as_read(made):
    """The same, with the SMILES that RDKit gives for its own."""
    products = {}
    for smiles, place in made.products.items():
        products.setdefault(reread(smiles), place)
    return replace(made, products=products)


@dataclass
class Pair:
    """A molecule and a rule done by themselves, each way; or several rules, if it takes them to differ."""

    text: str
    rules: list
    answers: set  # of the loop in Python: rows, counts
    options: dict  # of each outcome: the SMILES that the loop in Python gave
    unchanged: str  # canonical SMILES of the molecule
    ways: dict  # way: rows (SMILES, rule, site), counts, reason of a reject

    def wrong(self):
        """The ways that give what the loop in Python never gave."""
        return [way for way in WAYS if not self.explains(way)]

    def explains(self, way):
        rows, counts, reason = self.ways[way]
        if reason is not None:
            return False
        if (rows, counts) in self.answers:
            return True
        if way == "direct" and any(
            same_molecules(self.ways[way], answer) or reads_otherwise(answer) for answer in self.answers
        ):
            return True
        if all(len(options) == 1 for options in self.options.values()):
            return False
        made = {smiles for smiles, _, _ in rows} | {self.unchanged, None}
        of_site = defaultdict(set)
        for (rule, site, _), options in self.options.items():
            of_site[rule, site] |= options
        return all(options & made for options in self.options.values()) and all(
            smiles in of_site[rule, site] for smiles, rule, site in rows
        )

    def unstable(self):
        return len(self.answers) > 1


class Comparison:
    def __init__(self, arguments):
        self.molsieve = Molsieve(arguments.molsieve, arguments.threads)
        self.single = Molsieve(arguments.molsieve, 1)
        self.threads = arguments.threads
        self.seed = arguments.seed
        self.end = time.monotonic() + arguments.seconds
        self.counts = Counter()
        self.pool = None

    # ---- one round

    def round(self, number):
        self.pool = self.pool or ProcessPoolExecutor(self.threads, initializer=start_process)
        try:
            made = self.pool.submit(make_round, self.seed, number).result()
            self.drop_refused(made)
            chunks = self.loop_in_python(made)
        except BrokenProcessPool:
            self.pool = None
            self.counts["rounds in which RDKit crashed in Python"] += 1
            print(f"RDKit crashed in Python: seed {self.seed} round {number}; the round is left out")
            return
        left = [row for row, chunk in enumerate(chunks) if not chunk.failed]
        self.counts["molecules for which RunReactants raised (left out)"] += len(chunks) - len(left)
        molecules, chunks = [made.molecules[row] for row in left], [chunks[row] for row in left]
        expected = gathered(chunks)
        self.counts["rounds"] += 1
        self.counts["molecules"] += len(molecules)
        self.counts["rules"] += len(made.rules)
        self.counts["pairs"] += len(molecules) * len(made.rules)
        self.counts["products made"] += expected.counts["products_made"]
        try:
            with ThreadPoolExecutor(len(WAYS)) as threads:
                jobs = {way: threads.submit(self.molsieve.run, way, molecules, made.rules, made.describe) for way in WAYS}
                ways = {way: job.result() for way, job in jobs.items()}
        except Failed as failed:
            self.report_failure(made.name, molecules, made.rules, failed)
            return
        self.counts["products made on graphs"] += ways["fast"].on_graphs
        if made.describe:
            self.counts["products described"] += len(expected.properties)
            self.counts["  of them by RDKit in molsieve"] += ways["fast"].described_by_rdkit
            for way in WAYS:
                self.compare_properties(made, molecules, expected, ways[way], way)
        self.counts["products invalid"] += expected.counts["products_invalid"]
        wanted = {way: as_read(expected) if way == "direct" else expected for way in WAYS}
        pairs = sorted({pair for way in WAYS for pair in differing(wanted[way], ways[way])})
        rejected = sorted({row for way in WAYS for row in ways[way].rejects.keys() ^ expected.rejects.keys()})
        pairs += [(row, None) for row in rejected]
        if not pairs and any(miscounted(expected, ways[way]) for way in WAYS):
            pairs = self.miscounted_pairs(molecules, made.rules, chunks)
        if pairs:
            self.look_into(made, molecules, pairs)

    def compare_properties(self, made, molecules, expected, found, way):
        """Of the products that both have made at the same place."""
        for smiles, place in expected.products.items():
            if found.products.get(smiles) != place:
                continue
            values, right = found.properties[smiles], expected.properties[smiles]
            for name in properties.differences(values, right):
                self.counts[PROPERTIES] += 1
                if self.counts[PROPERTIES] <= 20:
                    row, rule, _ = place
                    print(f"DIFFERENCE {way}≠python | {made.name} | {name} of {smiles} is {values[name]}, in Python {right[name]}"
                          f" | {molecules[row]} | {made.rules[rule]}")  # fmt: skip

    def drop_refused(self, made):
        """Leaves out what molsieve refuses; that is a difference, since Python takes all of them."""
        refused = self.molsieve.refused(made.rules)
        for index, message in sorted(refused.items()):
            self.counts[REFUSED] += 1
            if self.counts[REFUSED] <= 20:
                print(f"DIFFERENCE molsieve refuses a rule that Python takes | {made.name} | {made.rules[index]} | {message}")
        made.rules = [smirks for index, smirks in enumerate(made.rules) if index not in refused]

    def loop_in_python(self, made):
        starts = range(0, len(made.molecules), PARENTS_PER_CHUNK)
        jobs = [
            self.pool.submit(python_chunk, made.molecules[at : at + PARENTS_PER_CHUNK], made.rules, made.describe)
            for at in starts
        ]
        return [chunk for job in jobs for chunk in job.result()]

    # ---- what differs

    def look_into(self, made, molecules, pairs):
        """Does the pairs by themselves and says which are true differences."""
        pairs = self.with_rules(molecules, made.rules, pairs)
        chosen = spread(pairs)
        self.counts[NOT_LOOKED_INTO] += len(pairs) - len(chosen)
        shown = Counter()
        for row, rule in chosen:
            if self.counts[TRUE] and time.monotonic() > self.end:
                self.counts[NOT_LOOKED_INTO] += 1
                continue
            pair = self.pair(molecules[row], [made.rules[rule]])
            if not pair.wrong() and not pair.unstable() and shown["joint"] < JOINT_OF_A_ROUND:
                pair = self.with_other_rules(molecules[row], made.rules, rule) or pair
                shown["joint"] += bool(pair.wrong())
            self.judge(made.name, pair, shown)

    def judge(self, name, pair, shown):
        wrong = pair.wrong()
        if wrong and shown[pair.rules[-1]] < SHOWN_OF_A_RULE:
            pair = self.repeated(pair)
            wrong = pair.wrong()
            if wrong:
                shown[pair.rules[-1]] += 1
                self.report(name, self.shrunk(pair, wrong), wrong)
        if wrong:
            self.counts[TRUE] += 1
            self.counts[f"  {' and '.join(wrong)} ≠ python"] += 1
        else:
            kind = "RDKit's own instability" if pair.unstable() else "pairs that differ only through other pairs"
            self.counts[kind] += 1

    def with_other_rules(self, text, rules, index):
        """A pair that differs only where another rule stands before: with that rule. None: it doesn't."""

        def differs(before):
            pair = self.pair(text, [*before, rules[index]])
            return pair if pair.wrong() else None

        before = rules[:index]
        found = differs(before)
        while found and len(before) > 1:
            half = len(before) // 2
            for some in (before[:half], before[half:]):
                if smaller := differs(some):
                    before, found = some, smaller
                    break
            else:
                break
        if found:
            alone = [self.pair(text, [other]) for other in found.rules[:-1]]
            found = next((pair for pair in alone if pair.wrong()), found)
        return found

    def with_rules(self, molecules, rules, pairs):
        """Pairs without a rule (a molecule was rejected) become pairs with each rule that rejects it."""
        known, found = [pair for pair in pairs if pair[1] is not None], []
        for row, _ in (pair for pair in pairs if pair[1] is None):
            found += [(row, rule) for rule in self.rejecting(molecules[row], rules)]
        return sorted(set(known + found))

    def rejecting(self, text, rules):
        """Rules (by index) with which the molecule alone is rejected: halved until they are found."""

        def rejected(indices):
            if not any(self.single.run(way, [text], [rules[i] for i in indices]).rejects for way in WAYS):
                return []
            if len(indices) == 1:
                return indices
            middle = len(indices) // 2
            return rejected(indices[:middle]) or rejected(indices[middle:])

        return rejected(list(range(len(rules))))

    def miscounted_pairs(self, molecules, rules, chunks):
        """Pairs whose counts differ though all rows are the same."""
        pairs = []
        for row, text in enumerate(molecules):
            expected = gathered([chunks[row]])
            if any(miscounted(expected, self.molsieve.run(way, [text], rules)) for way in WAYS):
                pairs += [(row, rule) for rule in range(len(rules)) if self.pair(text, [rules[rule]]).wrong()]
                if len(pairs) >= PAIRS_OF_A_RULE:
                    break
        return pairs

    def pair(self, text, rules, repeats=REPEATS):
        def single(way):
            try:
                return single_answer(self.single.run(way, [text], rules))
            except Failed as failed:
                return (), (), str(failed)

        in_python = self.pool.submit(python_answers, text, rules, repeats, self.seed)
        with ThreadPoolExecutor(len(WAYS)) as threads:
            ways = dict(zip(WAYS, threads.map(single, WAYS)))
        answers, options, unchanged = in_python.result()
        return Pair(text, rules, answers, options, unchanged, ways)

    def repeated(self, pair):
        """The pair with many more repeats of the loop in Python."""
        answers, options, _ = self.pool.submit(
            python_answers, pair.text, pair.rules, MANY_REPEATS, self.seed + 1
        ).result()
        merged = {key: pair.options.get(key, set()) | found for key, found in options.items()}
        return Pair(pair.text, pair.rules, pair.answers | answers, merged, pair.unchanged, pair.ways)

    def shrunk(self, pair, wrong):
        """The smallest molecule found, by leaving out atoms one at a time, for which the same ways are wrong."""
        for _ in range(12):
            smaller = smaller_molecules(pair.text)
            if not smaller:
                return pair
            expected = gathered(self.pool.submit(python_chunk, smaller, pair.rules).result())
            try:
                made = [self.single.run(way, smaller, pair.rules) for way in wrong]
            except Failed:
                return pair
            rows = set.intersection(*({row for row, _ in differing(expected, m)} | set(m.rejects) for m in made))
            for row in sorted(rows, key=lambda row: len(smaller[row]))[:3]:
                candidate = self.pair(smaller[row], pair.rules)
                if candidate.wrong() == wrong:
                    pair = candidate
                    break
            else:
                return pair
        return pair

    def report(self, name, pair, wrong):
        right = [way for way in WAYS if way not in wrong]
        python = sorted(pair.answers)
        print(f"DIFFERENCE {', '.join(f'{way}≠python' for way in wrong)}"
              f"{''.join(f', {way}=python' for way in right)} | {name} | {pair.text} | {'  and  '.join(pair.rules)}")  # fmt: skip
        for rows, counts in python[:3]:
            print(f"    python    {shown_answer(rows, counts, None)}")
        for way in WAYS:
            print(f"    {way:9} {shown_answer(*pair.ways[way])}")
        sys.stdout.flush()

    def report_failure(self, name, molecules, rules, failed):
        """molsieve failed on a whole round: finds a molecule with which it fails alone."""
        self.counts[TRUE] += 1
        print(f"DIFFERENCE molsieve fails | {name} | {failed}")
        for text in molecules:
            for way in WAYS:
                try:
                    self.single.run(way, [text], rules)
                except Failed as alone:
                    print(f"    {way} | {text} | {alone}")
                    return

    def totals(self):
        for name, number in self.counts.items():
            print(f"{name:55} {number:12,}")


def differing(expected, made):
    """(row, rule) of every product that only one has, or that has another place."""
    pairs = set()
    for smiles in expected.products.keys() | made.products.keys():
        one, other = expected.products.get(smiles), made.products.get(smiles)
        if one != other:
            pairs |= {place[:2] for place in (one, other) if place}
    return pairs


def miscounted(expected, made):
    return any(expected.counts[name] != made.counts[name] for name in COUNTS)


def spread(pairs):
    """At most so many pairs as are looked into, of as many rules as possible."""
    by_rule = defaultdict(list)
    for row, rule in pairs:
        by_rule[rule].append((row, rule))
    ordered = [found[turn] for turn in range(PAIRS_OF_A_RULE) for found in by_rule.values() if turn < len(found)]
    return ordered[:PAIRS_SINGLED_OUT]


def single_answer(made):
    rows = tuple(sorted(((smiles, *place[1:]) for smiles, place in made.products.items()), key=lambda row: row[1:]))
    return rows, tuple(made.counts[name] for name in COUNTS), made.rejects.get(0)


def shown_answer(rows, counts, reason):
    if reason is not None:
        return f"rejected: {reason}"
    listed = " ".join(f"{smiles} (rule {rule} site {site})" for smiles, rule, site in rows[:6]) + (" …" if len(rows) > 6 else "")
    return f"{listed or 'nothing'}; made, invalid, unchanged, symmetric: {' '.join(map(str, counts))}"


def smaller_molecules(text):
    """The molecule without one of its atoms, or without a terminal piece: the largest part of what is left."""
    mol = Chem.MolFromSmiles(text)
    found = set()
    for atom in mol.GetAtoms():
        try:
            less = Chem.RWMol(mol)
            less.RemoveAtom(atom.GetIdx())
            Chem.SanitizeMol(less)
            for part in Chem.GetMolFrags(less, asMols=True):
                smiles = Chem.MolToSmiles(part)
                if Chem.MolFromSmiles(smiles) is not None and smiles != text:
                    found.add(smiles)
        except Exception:  # what is left is no molecule
            continue
    return sorted(found, key=lambda smiles: (len(smiles), smiles))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molsieve", required=True, type=Path, metavar="FILE", help="the program")
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="about so long (default: 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--direct", action="store_true", help="direct SMILES too, which takes twice as long")
    parser.add_argument("--round", type=int, metavar="N", help="only this round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.direct:
        WAYS.update(DIRECT)
    if not os.access(arguments.molsieve, os.X_OK):
        sys.exit(plain_loop.usage_error(f"no such program: {arguments.molsieve}"))
    start_process()
    comparison = Comparison(arguments)
    started = time.monotonic()
    number = arguments.round or 1
    while True:
        began = time.monotonic()
        comparison.round(number)
        counts = comparison.counts
        print(f"round {number}: {counts['pairs']:,} pairs, {counts['products made']:,} products, "
              f"{counts[TRUE]:,} true differences, {time.monotonic() - started:.0f} s", file=sys.stderr)
        number += 1
        now = time.monotonic()
        if arguments.round is not None or now + (now - began) / 2 - started >= arguments.seconds:
            break
    if comparison.pool:
        comparison.pool.shutdown()
    comparison.counts["seconds"] = round(time.monotonic() - started)
    comparison.totals()
    sys.exit(1 if any(comparison.counts[name] for name in FAILURES) else 0)


if __name__ == "__main__":
    main()
