"""Runs a command on a terminal that folds its lines anew at each change of width, as most do, and fails
unless the live display is on it once, in lines that fit.

terminal_widths.py COMMAND...
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

command = sys.argv[1:]
widths = [120, 30, 60, 12, 200]
# The lines, and where the cursor is.
lines, line, column, width = [""], 0, 0, widths[0]

def rows():
    return [(i, at) for i, text in enumerate(lines) for at in range(0, max(len(text), 1), width)]

def move(up):
    global line, column
    all_rows = rows()
    here = max(k for k, (i, at) in enumerate(all_rows) if (i, at) <= (line, column))
    across = column - all_rows[here][1]
    line, at = all_rows[max(here - up, 0)]
    column = at + across

def feed(text):
    global line, column
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|.", text, re.S):
        if part == "\r":
            column -= column % width
        elif part == "\n":
            line, column = line + 1, 0
            if line == len(lines):
                lines.append("")
        elif part.endswith("A") and len(part) > 1:
            move(int(part[2:-1]))
        elif part == "\x1b[J":
            lines[line:] = [lines[line][:column]]
        elif part[0] == "\x1b":
            assert part[-1] == "m", repr(part)
        else:
            lines[line] = lines[line][:column] + part + lines[line][column + 1:]
            column += 1

pid, fd = pty.fork()
if pid == 0:
    os.execve(command[0], command, {**os.environ, "TERM": "xterm-256color"})

def resize(columns):
    global width
    width = columns
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

def read(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([fd], [], [], 0.02)[0]:
            try:
                drawn = os.read(fd, 65536)
            except OSError:
                return False
            feed(drawn.decode())
    return True

resize(widths[0])
seen, at = 0, 0
while seen < 2 * len(widths) and read(0.7):
    shown = [text for text in lines if text.startswith(("products ", "memory ", "busiest "))]
    if shown:
        seen += 1
        assert len(shown) == 3 and len(lines) == 5, (width, lines)
        assert all(len(text) < width for text in lines), (width, lines)
    at += 1
    resize(widths[at % len(widths)])
os.kill(pid, signal.SIGKILL)
assert seen >= len(widths), f"drawn at {seen} widths only"
