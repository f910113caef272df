#!/usr/bin/env python3
"""Makes clients of the OpenAPI document with the generators of others, and runs a job with each.

usage: clients.py MOLSIEVE FOLDER

Python: openapi-python-client. TypeScript: openapi-typescript and openapi-fetch, of which FOLDER/typescript has the
packages; without that folder it is SKIPPED. Each client submits a job to a real daemon over its Unix socket, follows its
events until it has ended, and sees a refusal as the document describes it. A schema that a generator leaves out is a
fault.

Exits with 1 if there is a fault.
"""

import importlib
import json
import pathlib
import shutil
import subprocess
import sys

import httpx
from daemon import serving

HERE = pathlib.Path(__file__).parent
TOOLS = pathlib.Path(sys.executable).parent
LIBRARY = "Oc1ccccc1 phenol\nOc1ccc(O)cc1 hydroquinone\nCC(\n"


def check(told, what):
    if not told:
        sys.exit(f"clients: {what}")


def run(command, **how):
    print("+", *command[:3])
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    check(done.returncode == 0, f"{command[0]} ends with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def settings(folder, output):
    library = folder / "library.smi"
    library.write_text(LIBRARY)
    return {"input": [str(library)], "output": str(folder / output), "memory": "192MiB", "threads": 1}


def generate_python(folder, document):
    tool = TOOLS / "openapi-python-client"
    said = run(
        [tool, "generate", "--path", document, "--meta", "none", "--output-path", folder / "generated", "--overwrite"]
    )
    # It knows no streams of events; everything else has to be there.
    warnings = [line for line in said.splitlines() if line.startswith("WARNING")]
    check(not warnings, said)
    schemas = json.loads(document.read_text())["components"]["schemas"]
    sys.path.insert(0, str(folder))
    models = importlib.import_module("generated.models")
    missing = [name for name, schema in schemas.items() if "properties" in schema and not hasattr(models, name)]
    check(not missing, f"no models of {missing}\n{said}")
    return importlib.import_module("generated"), models


def python(folder, socket, document):
    generated, models = generate_python(folder, document)
    api = {
        name: importlib.import_module(f"generated.api.default.{name}")
        for name in ["submit_job", "show_job", "list_jobs", "cancel_job", "job_log", "show_node"]
    }
    transport = httpx.HTTPTransport(uds=str(socket))
    client = generated.Client("http://molsieve", httpx_args={"transport": transport}, timeout=60)
    body = models.Submission(settings=models.JobSettings.from_dict(settings(folder, "python")), name="python")
    job = api["submit_job"].sync(client=client, body=body)
    check(isinstance(job, models.Job) and job.name == "python", job)
    states = []
    with client.get_httpx_client().stream("GET", f"/v1/jobs/{job.id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data:") and '"state"' in line:
                states.append(models.Job.from_dict(json.loads(line.removeprefix("data:"))).state.value)
    check(states[0] == "queued" and states[-1] == "done", states)
    job = api["show_job"].sync(job.id, client=client)
    check(isinstance(job, models.Job) and job.exit_code == 4, job)
    check(job.progress.counts.products_unique == 2, job.progress)
    jobs = api["list_jobs"].sync(client=client, count=True)
    check(isinstance(jobs, models.JobList) and (jobs.total, jobs.jobs[-1].id) == (1, job.id), jobs)
    log = api["job_log"].sync_detailed(job.id, client=client)
    check(b"2 unique products" in log.content, log.content)
    check(isinstance(api["show_node"].sync(client=client), models.Node), "no node")
    gone = api["show_job"].sync(999, client=client)
    check(isinstance(gone, models.Error) and gone.error.code.value == "not_found", gone)
    print(f"openapi-python-client: job {job.id} went {' '.join(states)}")


def typescript(packages, folder, socket, document):
    place = packages / "typescript"
    if not (place / "node_modules").exists():
        print("SKIPPED: the TypeScript client, because there are no packages of npm", file=sys.stderr)
        return
    bin = place / "node_modules/.bin"
    for file in ["client.ts", "tsconfig.json"]:
        shutil.copy(HERE / "typescript" / file, place / file)
    # A field with a default may be left out.
    how = ["--default-non-nullable", "false", "--output", place / "molsieve.ts"]
    run([bin / "openapi-typescript", document, *how])
    run([bin / "tsc", "--project", place])
    asked = json.dumps(settings(folder, "typescript"))
    print(run(["node", place / "build/client.js", socket, asked]), end="")


def main():
    program, packages = sys.argv[1:]
    with serving(program) as (folder, socket, document):
        python(folder, socket, document)
        typescript(pathlib.Path(packages).absolute(), folder, socket, document)


if __name__ == "__main__":
    main()
