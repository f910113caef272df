"""Bad use gives an exception of the right kind with one clear line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from jobs import MEMORY, RULES, SMILES, rule_file

import molsieve
from molsieve._program import Child


def one_line(error: pytest.ExceptionInfo[molsieve.Error]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_an_unknown_setting_is_a_type_error_with_the_nearest_names() -> None:
    untyped: Any = molsieve.run
    with pytest.raises(TypeError, match=r"molsieve.run has no setting 'memroy'; did you mean memory\?"):
        untyped(SMILES, None, "out", memroy="1GiB")
    with pytest.raises(TypeError, match=r"molsieve.run has no setting 'canonical'; molsieve.dedup has"):
        untyped(SMILES, None, "out", canonical=True)
    with pytest.raises(TypeError, match=r"^step is a list of mappings.*; steps=2 applies"):
        untyped(SMILES, None, "out", step=2)
    with pytest.raises(TypeError, match=r"has no setting 'zzz'$"):
        untyped(SMILES, None, "out", zzz=1)
    assert not Path("out").exists()


def test_a_wrong_value_names_the_setting() -> None:
    with pytest.raises(molsieve.UsageError) as error:
        molsieve.run(SMILES, None, "out", memory="much")
    assert one_line(error) == (
        "invalid value 'much' for 'memory <SIZE>': `much` is not a size; write for example 512MiB or 2GiB"
    )
    assert error.value.exit_code == 2 and isinstance(error.value, ValueError)
    with pytest.raises(molsieve.UsageError, match="invalid value 'gpu' for 'engine <ENGINE>'; a similar value exists"):
        molsieve.run(SMILES, None, "out", engine="gpu")  # type: ignore[arg-type]


def test_a_job_that_does_not_fit_says_so_in_a_line_and_has_the_table() -> None:
    with pytest.raises(molsieve.UsageError) as error:
        molsieve.run(SMILES, None, "out", memory="1MiB")
    assert re.fullmatch(r"the job needs [\d.]+ MiB and memory allows 1 MiB; give it more memory", one_line(error))
    assert "chemistry" in error.value.detail
    assert os.listdir() == ["library.smi"]


def test_a_missing_column_names_those_that_exist() -> None:
    frame = pl.DataFrame({"smiles": SMILES, "vendor": SMILES})
    with pytest.raises(molsieve.InputError) as error:
        molsieve.run(frame, None, "out", smiles_column="structure")
    assert one_line(error) == "the library: has no column `structure`; its columns are smiles, vendor"
    assert not Path("out.inputs").exists()


def test_a_rule_that_does_not_compile_names_file_line_and_column() -> None:
    path = rule_file()
    path.write_text(path.read_text().replace("OX2H:2]", "OX2H:2[", 1))
    with pytest.raises(molsieve.InputError) as error:
        molsieve.run(SMILES, path, "out")
    assert one_line(error) == 'rules.toml:3:23: rule "o_methylation": "smirks": this \'[\' is never closed'
    assert (error.value.file, error.value.line, error.value.column) == ("rules.toml", 3, 23)
    with pytest.raises(molsieve.InputError, match=r'the rules:2:\d+: rule "x": "smirks"'):
        molsieve.run(SMILES, {"x": "[C:1[>>[C:1]"}, "out")


def test_faults_of_rules_are_listed() -> None:
    path = rule_file()
    assert molsieve.rules.check(path) and molsieve.rules.check(RULES).rules == 2
    path.write_text(path.read_text().replace("OX2H:2]", "OX2H:2[").replace(">>[c:1]F", ""))
    checked = molsieve.rules.check(path)
    assert not checked and [fault[:13] for fault in checked.faults] == ["rules.toml:3:", "rules.toml:7:"]
    with pytest.raises(molsieve.InputError, match=r"missing\.toml: can't be read"):
        molsieve.run(SMILES, "missing.toml", "out")


def test_an_output_that_is_there_is_kept() -> None:
    molsieve.run(SMILES, None, "out", memory=MEMORY)
    with pytest.raises(molsieve.UsageError, match="use overwrite=True to replace"):
        molsieve.run(SMILES, None, "out", memory=MEMORY)
    molsieve.run(SMILES[:1], None, "out", memory=MEMORY, overwrite=True)
    assert molsieve.open("out").manifest["counts"]["parents_read"] == 1


def test_a_folder_without_a_run_is_not_opened() -> None:
    with pytest.raises(molsieve.UsageError, match="no run is complete there"):
        molsieve.open(".")
    with pytest.raises(molsieve.UsageError, match="no run is complete there"):
        molsieve.diff(".", "..")


def test_a_molecule_that_was_not_made_has_no_route() -> None:
    run = molsieve.run(SMILES, RULES, "out", memory=MEMORY)
    with pytest.raises(molsieve.Failed, match=r"none of its products is this molecule \(CC\)"):
        run.route("CC")


def test_a_library_of_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="item 1 of the library is int, and a SMILES is str: 7"):
        molsieve.run(["C", 7], None, "out")
    with pytest.raises(TypeError, match=r"a rule is a file, or a mapping .* this is int"):
        molsieve.run(SMILES, [7], "out")  # type: ignore[list-item]
    with pytest.raises(TypeError, match="needs a library"):
        molsieve.run(None, None, "out")
    with pytest.raises(TypeError, match="needs a folder"):
        molsieve.run(SMILES, None, "-")
    assert os.listdir() == ["library.smi"]


BROKEN = ["missing", "no-program", "wrong-kind", "no-library"]


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_wheel_says_so(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path("bin").absolute() / "molsieve"
    program.parent.mkdir()
    if how == "missing":
        monkeypatch.delenv("MOLSIEVE", raising=False)
        monkeypatch.setenv("PATH", str(program.parent))
        monkeypatch.setattr("molsieve._program.__file__", str(program))
        # The script of the package is no program: it would only call itself.
        program.write_text("#!/usr/bin/env python3\n")
        program.chmod(0o755)
    else:
        if how == "wrong-kind":
            program.write_bytes(b"\x7fELF no program")
            program.chmod(0o755)
        elif how == "no-library":
            program = Path(shutil.which(molsieve.program()) or "")
            needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            for name in re.findall(r"^\s*(libRDKit\S+) =>", needed, re.MULTILINE):
                Path("bin", name).write_text("cut short")
            monkeypatch.setenv("LD_LIBRARY_PATH", str(Path("bin").absolute()))
        monkeypatch.setenv("MOLSIEVE", str(program))
    with pytest.raises(molsieve.BrokenInstall) as error:
        molsieve.keys(["C"])
    assert one_line(error)
    with pytest.raises(molsieve.BrokenInstall, match=r"has no program|can't start"):
        molsieve.run(SMILES, None, "out")
    script = subprocess.run([sys.executable, "-m", "molsieve", "-V"], capture_output=True, text=True, check=False)
    if how != "missing":
        assert script.returncode != 0 and len(script.stderr.splitlines()) == 1


def test_a_terminal_sends_ctrl_c_to_python_alone() -> None:
    """A terminal signals the whole group. A program in that group would get a second Ctrl-C from the package."""
    with Child(["key"]) as child:
        assert os.getpgid(child.process.pid) == child.process.pid != os.getpgid(0)
        assert child.end() == 0


def interrupt_when_begun(output: str) -> None:
    """Ctrl-C, soon after a job has begun to work."""
    while not Path(output, ".molsieve").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_stops_at_a_checkpoint_and_resume_gives_the_same_bytes() -> None:
    library = molsieve.rules.natural_product_library
    rules = molsieve.rules.natural_products
    flags: Any = {"memory": "512MiB", "steps": 2, "max_products_per_step": 2000}
    frame = pl.read_csv(library).select("smiles", "name")
    expected = molsieve.run(frame, rules, "expected", **flags)
    threading.Thread(target=interrupt_when_begun, args=("out",)).start()
    with pytest.raises(molsieve.Interrupted, match=r"stopped at a checkpoint.*resume=True continues") as stopped:
        molsieve.run(frame, rules, "out", **flags)
    assert isinstance(stopped.value, KeyboardInterrupt) and not isinstance(stopped.value, Exception)
    assert Path("out.inputs/library.parquet").exists()
    # The handler of before is back.
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    with pytest.raises(molsieve.UsageError, match="resume=True continues that job"):
        molsieve.run(frame, rules, "out", **flags)
    with pytest.raises(molsieve.UsageError, match="the molecules differ from those that the job was begun with"):
        molsieve.run(frame.head(9), rules, "out", resume=True, **flags)
    run = molsieve.run(frame, rules, "out", resume=True, **flags)
    assert run.manifest["interruptions"] == 1
    assert [file["sha256"] for file in run.manifest["files"]] == [file["sha256"] for file in expected.manifest["files"]]
    assert not Path("out.inputs").exists()
