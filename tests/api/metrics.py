#!/usr/bin/env python3
"""Reads the metrics of a running daemon with the parsers of others.

usage: metrics.py MOLSIEVE

/metrics is asked for over the Unix socket and over TCP (--metrics-listen), as Prometheus asks for it and as text: the
parsers of the Python package prometheus_client must read both formats, and find the same metrics with the same help.
promtool (Debian: prometheus) must have nothing to say; without it this part is SKIPPED. Over TCP there is nothing else
than metrics and health.

Exits with 1 if there is a fault.
"""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from daemon import get, serving
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

# What a Prometheus of 2026 sends.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
ADDRESS = "127.0.0.1:0"


def check(told, what):
    if not told:
        sys.exit(f"metrics: {what}")


def families(parse, text):
    """Help and type of each metric; a counter is named without `_total`."""
    found = {}
    for family in parse(text):
        name = family.name.removesuffix("_total")
        check(family.documentation, f"{name} has no help")
        check(family.samples, f"{name} has no value")
        found[name] = (family.documentation.rstrip("."), family.type)
    return found


def promtool(text):
    if not shutil.which("promtool"):
        print("SKIPPED: promtool is not installed (Debian: prometheus)", file=sys.stderr)
        return
    run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    check(run.returncode == 0 and not run.stdout and not run.stderr, f"promtool: {run.stdout}{run.stderr}")
    print("promtool: nothing to say")


def over_tcp(folder):
    """Where the daemon says that it serves metrics."""
    lines = (folder / "log").read_text().splitlines()
    return next(line.split("metrics at ")[1].split("/metrics")[0] for line in lines if "metrics at " in line)


def refused(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    (program,) = sys.argv[1:]
    with serving(program, "--metrics-listen", ADDRESS, "--log-file", "log") as (folder, socket, _):
        headers, text = get(socket, "/metrics")
        check(headers["content-type"].startswith("text/plain; version=0.0.4"), headers["content-type"])
        text = text.decode()
        promtool(text)
        headers, open_text = get(socket, "/metrics", Accept=ACCEPT)
        check(headers["content-type"].startswith("application/openmetrics-text"), headers["content-type"])
        found, open_found = families(prometheus, text), families(open_metrics, open_text.decode())
        check(found == open_found, f"the formats differ: {found} {open_found}")
        print(f"prometheus_client: {len(found)} metrics, the same in both formats")
        base = over_tcp(folder)
        with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
            check(families(prometheus, answer.read().decode()) == found, "other metrics over TCP")
        check(refused(f"{base}/readyz") == refused(f"{base}/healthz") == 200, "no health over TCP")
        for path in ["/v1/jobs", "/v1/node", "/v1/openapi.json", "/"]:
            check(refused(base + path) == 404, f"{path} is served over TCP")
        print(f"metrics over TCP at {base}: the same, and nothing else")


if __name__ == "__main__":
    main()
