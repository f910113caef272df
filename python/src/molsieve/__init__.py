"""molsieve: apply reaction rules to a chemical library, and write each distinct product once.

>>> run = molsieve.run(["Oc1ccccc1"], {"o_methylation": "[c:1][OX2H:2]>>[c:1][O:2]C"}, "out")
>>> run.to_arrow()["smiles"].to_pylist()
['COc1ccccc1']
"""

from __future__ import annotations

from . import rules
from ._async_client import AsyncClient
from ._client import Client, Event, Watch
from ._daemon_answers import Job, Progress
from ._errors import (
    BrokenInstall,
    DaemonError,
    Error,
    Failed,
    InputError,
    Interrupted,
    NoDaemon,
    Stopped,
    UsageError,
)
from ._jobs import dedup, diff, plan, run
from ._keys import keys
from ._manifest import Manifest
from ._program import program
from ._run import Route, Run, Step, open_run
from ._verb_answers import Difference, Planned

# Not in __all__: `from molsieve import *` leaves Python's own `open` alone.
open = open_run

__all__ = [
    "AsyncClient",
    "BrokenInstall",
    "Client",
    "DaemonError",
    "Difference",
    "Error",
    "Event",
    "Failed",
    "InputError",
    "Interrupted",
    "Job",
    "Manifest",
    "NoDaemon",
    "Planned",
    "Progress",
    "Route",
    "Run",
    "Step",
    "Stopped",
    "UsageError",
    "Watch",
    "dedup",
    "diff",
    "keys",
    "plan",
    "program",
    "rules",
    "run",
]
