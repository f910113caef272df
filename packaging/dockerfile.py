#!/usr/bin/env python3
"""Does what a Dockerfile says in folders, without a container engine: called by prove.sh, which says what
the proof puts in the place of the real thing.

Knows the instructions and forms that the repository's Dockerfile uses. Any other one ends it with 1, so that
nothing is passed over in silence.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

CONTEXT = Path(__file__).resolve().parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What the official image rust:* sets.
RUST = {"RUSTUP_HOME": "/usr/local/rustup", "CARGO_HOME": "/usr/local/cargo",
        "PATH": f"/usr/local/rustup/proof/bin:{PATH}"}
# Mounts live in a namespace of their own and end with the command.
ENTER = """
root=$1 cwd=$2 user=$3 && shift 3
while [ "$1" != -- ]; do mkdir -p "$root$2" && mount --bind "$1" "$root$2" && shift 2; done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups -- \
    env -C "$cwd" "$@"
"""


def fail(message):
    sys.exit(f"dockerfile: {message}")


@dataclass
class Stage:
    """A stage while it is made: its root, and what later instructions and the container inherit."""

    name: str
    root: Path
    mounts: list = field(default_factory=list)
    env: dict = field(default_factory=lambda: {"PATH": PATH})
    shell: list = field(default_factory=lambda: ["/bin/sh", "-c"])
    cwd: str = "/"
    user: str = "0:0"
    config: dict = field(default_factory=dict)

    def command(self, words, mounts=(), env=None):
        """The command line that runs `words` in the stage's root, as its user."""
        binds = [str(word) for pair in mounts for word in pair]
        variables = [f"{name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        return ["unshare", "--mount", "--fork", "--kill-child=SIGTERM", "bash", "-euc", ENTER, "-",
                str(self.root), self.cwd, self.user, *binds, "--", "-i", *variables, *words]

    def inside(self, path):
        """Where a path of the image is on this machine."""
        return self.root / os.path.normpath(os.path.join(self.cwd, path)).lstrip("/")


def instructions(text):
    """Pairs of instruction and the rest of it; lines that end with a backslash go on."""
    joined = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (not line.strip() and not joined):
            continue
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        name, _, rest = joined.strip().partition(" ")
        yield name.upper(), rest.strip()
        joined = ""


def expand(text, variables):
    """$NAME and ${NAME} replaced; one that is not set is a mistake here."""
    def value(match):
        name = match[1] or match[2]
        return variables[name] if name in variables else fail(f"${name} is not set")
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)


def form(rest):
    """The words of an exec form, or None for a shell form."""
    return json.loads(rest) if rest.startswith("[") else None


def ignored(path, patterns):
    """What .dockerignore says of a path: the last pattern that matches it or a folder above it counts."""
    verdict = False
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    for negated, pattern in patterns:
        if any(pattern.fullmatch(candidate) for candidate in above):
            verdict = not negated
    return verdict


def ignore_patterns():
    """The patterns of .dockerignore as pairs: whether it takes back, and its expression."""
    found = []
    for line in (CONTEXT / ".dockerignore").read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            parts = re.split(r"(\*\*/|\*\*|\*|\?)", line.lstrip("!").strip("/"))
            wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
            found.append((line.startswith("!"), re.compile("".join(wild.get(p, re.escape(p)) for p in parts))))
    return found


class Build:
    """The stages of one Dockerfile."""

    def __init__(self, options):
        self.options = options
        self.arguments = {}
        self.stages = {}
        self.stage = None
        self.substitutes = []
        self.patterns = ignore_patterns()
        self.log = open(options.folder / "build.log", "w")

    def instruction(self, name, rest):
        """Does one instruction."""
        method = getattr(self, f"do_{name.lower()}", None) or fail(f"don't know {name} {rest}")
        shown = " ".join(rest.split())
        print(f"  {name} {shown if len(shown) < 100 else shown[:97] + '…'}", flush=True)
        self.log.write(f"\n== {name} {rest}\n")
        self.log.flush()
        method(rest)

    def do_arg(self, rest):
        if self.stage:
            fail("ARG in a stage")
        name, _, value = rest.partition("=")
        self.arguments[name] = value

    def do_from(self, rest):
        words = expand(rest, self.arguments).split()
        image, name = words[0], words[2] if len(words) == 3 else "final"
        root = next((root for start, root in self.options.base if image.startswith(start)), None)
        if root is None:
            fail(f"nothing stands in for the image {image}")
        self.stage = Stage(name, self.options.folder / name)
        remove(self.stage.root)
        subprocess.run(["cp", "-a", "--reflink=auto", root, self.stage.root], check=True)
        (self.stage.root / ".complete").unlink(missing_ok=True)
        self.substitutes.append(f"{image}: a root made by debootstrap")
        if image.startswith("rust:"):
            self.stage.env.update(RUST)
            self.stage.mounts = [(self.options.cargo, RUST["CARGO_HOME"]),
                                 (self.options.rustup, f"{RUST['RUSTUP_HOME']}/proof")]
            self.substitutes.append("Rust: this machine's, mounted")
        self.stages[name] = self.stage

    def do_shell(self, rest):
        self.stage.shell = form(rest)

    def do_env(self, rest):
        for word in shlex.split(rest):
            name, _, value = word.partition("=")
            self.stage.env[name] = expand(value, self.stage.env)

    def do_workdir(self, rest):
        place = self.stage.inside(rest)
        self.stage.cwd = "/" + str(place.relative_to(self.stage.root))
        place.mkdir(parents=True, exist_ok=True)

    def do_user(self, rest):
        if not re.fullmatch(r"\d+:\d+", rest):
            fail("USER must be UID:GID, which is what an orchestrator can check")
        self.stage.user = rest

    def do_run(self, rest):
        if rest.startswith("--"):
            fail(f"don't know RUN {rest}")
        if self.options.binary and rest.startswith("cargo build"):
            self.stand_in()
            return
        certificates = "/etc/ssl/certs"
        network = {name: value for name, value in os.environ.items()
                   if re.search("proxy$", name, re.I) or (value.startswith(certificates) and "CERT" in name)
                   or name == "PIP_CERT" or name == "CURL_CA_BUNDLE"}
        mounts = [*self.stage.mounts, (certificates, certificates)] if self.stage.mounts else []
        began = time.monotonic()
        done = subprocess.run(self.stage.command(form(rest) or [*self.stage.shell, rest], mounts, network),
                              stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        if done.returncode:
            fail(f"RUN ended with {done.returncode}; see {self.log.name}")
        print(f"      done in {time.monotonic() - began:.0f} s", flush=True)

    def stand_in(self):
        """Puts the binary of --binary where cargo would have, and the prefix it was linked with where it looks."""
        target = self.stage.inside("target/release/molsieve")
        target.parent.mkdir(parents=True)
        shutil.copy(self.options.binary, target)
        lines = subprocess.run(["readelf", "-d", self.options.binary], check=True, capture_output=True, text=True)
        for place in re.findall(r"(/[^:\]\s]+)/lib[:\]]", lines.stdout):
            link = self.stage.root / place.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/src/.rdkit")
        self.substitutes.append("cargo build: NOT RUN, a binary built before was copied")
        print("      SKIPPED: a binary built before was copied")

    def do_copy(self, rest):
        words = rest.split()
        source = None
        if words[0].startswith("--from="):
            source = self.stages[words.pop(0).removeprefix("--from=")].root
        if words[0].startswith("--"):
            fail(f"don't know COPY {words[0]}")
        *names, place = words
        target = self.stage.inside(place)
        for name in names:
            origin = (source or CONTEXT) / name.lstrip("/")
            if not origin.exists():
                fail(f"COPY: there is no {name}")
            if origin.is_dir():
                self.copy_folder(origin, target, all_of_it=source is not None)
            else:
                if source is None and ignored(name, self.patterns):
                    fail(f"COPY: .dockerignore leaves {name} out")
                into = target / origin.name if place.endswith("/") else target
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, into, follow_symlinks=False)

    def copy_folder(self, origin, target, all_of_it):
        """What is in the folder, but for what .dockerignore leaves out."""
        for folder, below, files in os.walk(origin):
            relative = Path(folder).relative_to(origin)
            if not all_of_it:
                below[:] = [name for name in below if name not in (".git", "target", ".rdkit", ".venv")]
            for name in files + [name for name in below if (Path(folder) / name).is_symlink()]:
                path = Path(folder) / name
                if all_of_it or not ignored(str(path.relative_to(CONTEXT)), self.patterns):
                    into = target / relative / name
                    into.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, into, follow_symlinks=False)
                    os.chown(into, 0, 0, follow_symlinks=False)

    def keep(self, rest, name):
        self.stage.config[name] = rest

    def do_volume(self, rest):
        self.keep(rest, "VOLUME")

    def do_stopsignal(self, rest):
        self.keep(getattr(signal, rest), "STOPSIGNAL")

    def do_entrypoint(self, rest):
        self.keep(form(rest), "ENTRYPOINT")

    def do_cmd(self, rest):
        self.keep(form(rest), "CMD")

    def do_healthcheck(self, rest):
        self.keep(form(rest[rest.index("CMD ") + 4:]), "HEALTHCHECK")


def remove(root):
    """Removes a root. Nothing is mounted below it any more."""
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def quiet(stage, words):
    """Runs words in the finished image and returns the exit code and what it said."""
    done = subprocess.run(stage.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def check(what, good, said=""):
    """One line on a check; ends if it failed."""
    print(f"  {'ok     ' if good else 'FAILED '} {what}")
    if not good:
        fail(said or what)


def try_image(stage):
    """Runs the finished image as a container would: its user, its entry point, its healthcheck."""
    entry, health = stage.config["ENTRYPOINT"], stage.config["HEALTHCHECK"]
    code, said = quiet(stage, ["id", "-u"])
    check(f"the user is not root: {said.strip()}", code == 0 and said.strip() != "0")
    code, said = quiet(stage, ["sh", "-c", "touch /usr/bin/x || touch /etc/x"])
    check("it can't write to the system", code != 0)
    code, said = quiet(stage, [*entry, "--version"])
    check(said.strip(), code == 0, said)
    code, said = quiet(stage, ["sh", "-c", f"ldd {entry[0]} | grep -E 'not found|/src/'"])
    check("no library is missing or the builder's", code == 1 and not said, said)
    code, said = quiet(stage, [
        *entry, "run", "--input", "/usr/share/molsieve/natural_products.csv", "--rules",
        "/usr/share/molsieve/rules/natural_products.toml", "--memory", "256MiB", "--output", "derivatives"])
    done = next((line for line in said.splitlines() if "unique products from" in line), "")
    check(f"a job on the shipped library: {done}", code in (0, 4) and done, said)
    code, said = quiet(stage, health)
    check("the healthcheck fails while nothing serves", code != 0, said)
    if quiet(stage, [*entry, stage.config["CMD"][0], "--help"])[0]:
        print("  SKIPPED the daemon and its healthcheck: this binary has no serve")
    else:
        try_daemon(stage, entry + stage.config["CMD"], health)


def try_daemon(stage, command, health):
    """Starts the image's command, waits until it is healthy and stops it with its signal."""
    with open(stage.root.parent / "serve.log", "w") as log:
        daemon = subprocess.Popen(stage.command(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        code, said = 1, ""
        for _ in range(60):
            code, said = quiet(stage, health)
            if code == 0 or daemon.poll() is not None:
                break
            time.sleep(1)
        check("the healthcheck passes while the daemon serves", code == 0, said)
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        os.kill(int(children[0]), stage.config["STOPSIGNAL"])
        check("the daemon stops on SIGTERM", daemon.wait(timeout=60) == 0, f"see {log.name}")


def main():
    parser = argparse.ArgumentParser()
    pair = lambda text: tuple(text.split("=", 1))
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--base", type=pair, action="append", default=[])
    parser.add_argument("--cargo", required=True)
    parser.add_argument("--rustup", required=True)
    parser.add_argument("--binary")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    build = Build(options)
    for name, rest in instructions(options.dockerfile.read_text()):
        build.instruction(name, rest)
    try_image(build.stage)
    print("stood in:\n  " + "\n  ".join(dict.fromkeys(build.substitutes)))
    for stage in build.stages.values():
        remove(stage.root)


main()
