"""Starting and ending programs, and knowing later which of them are ours.

`run/<name>.json` holds what was started with its pid and start time, `run/<name>.pid` the bare pid for people and
tests. A pid alone proves nothing, as the kernel gives it to another program after us: a process is ours only if its
start time is the recorded one, in the same boot of the machine. Nothing else is ever signalled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .layout import Stack, Trouble, is_free

POLL_SECONDS = 0.05
STOPPED = "stopped"


@dataclass
class Program:
    """How a piece is run: its command line, where, on which ports, and what to ask to know that it is ready."""

    name: str
    argv: list[str]
    cwd: str
    ports: list[int]
    probe: str
    address: str
    ready_seconds_max: float = 60.0
    stop_seconds_max: float = 20.0
    environment: dict[str, str] | None = None


@dataclass
class Record:
    """A started program."""

    program: Program
    pid: int
    started: str | None
    restarts: int = 0

    def alive(self) -> bool:
        return self.started is not None and _started(self.pid) == self.started


def _started(pid: int) -> str | None:
    """A process's start: the boot and the clock ticks since then; nothing for a dead one or a zombie."""
    try:
        # The second field, the name in parentheses, may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def read(stack: Stack, name: str) -> Record | None:
    try:
        content = json.loads((stack.run / f"{name}.json").read_text())
        return Record(Program(**content.pop("program")), **content)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(stack: Stack, record: Record):
    """Whole or not at all, for readers in other processes."""
    name = record.program.name
    for path, text in (
        (stack.run / f"{name}.json", json.dumps(asdict(record), indent=1)),
        (stack.run / f"{name}.pid", f"{record.pid}\n"),
    ):
        draft = path.with_suffix(".draft")
        # Command lines and environments may hold secrets.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        draft.replace(path)


def forget(stack: Stack, name: str):
    for suffix in (".json", ".pid"):
        (stack.run / f"{name}{suffix}").unlink(missing_ok=True)


def records(stack: Stack) -> list[Record]:
    """Every program recorded in the stack's directory, dead or alive."""
    found = (read(stack, path.stem) for path in sorted(stack.run.glob("*.json")) if path.stem != "stack")
    return [record for record in found if record]


def launch(stack: Stack, program: Program) -> tuple[Record, subprocess.Popen]:
    """Starts a program in a session of its own, so that a Ctrl-C in the terminal is not for it."""
    log = stack.log(program.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    Path(program.cwd).mkdir(parents=True, exist_ok=True)
    try:
        with open(log, "ab") as output:
            child = subprocess.Popen(
                program.argv,
                cwd=program.cwd,
                env=os.environ | (program.environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except FileNotFoundError as cause:
        raise Trouble(f"{cause.filename} is missing: run `make setup`") from None
    record = Record(program, child.pid, _started(child.pid))
    write(stack, record)
    return record, child


def require_ports(program: Program):
    """Says who is in the way before the program itself stumbles over it."""
    for port in program.ports:
        if not is_free(port):
            raise Trouble(
                f"{program.name}: port {port} is taken{_holder(port)}; end that program, "
                "or take other ports with WEFT_PORT_BASE=21000"
            )


def _holder(port: int) -> str:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(entry) in inodes:
                pid = int(entry.parts[2])
                return f" by pid {pid} ({' '.join(_command_line(pid))[:100]})"
        except OSError:
            continue
    return " by a program this user cannot see" if inodes else ""


def stop(record: Record) -> str:
    """Ends one of ours: asks, waits, then insists. Answers how it went."""
    if not record.alive():
        return "was not running"
    _signal(record.pid, signal.SIGTERM)
    if _gone(record, record.program.stop_seconds_max):
        return STOPPED
    _signal(record.pid, signal.SIGKILL)
    _gone(record, 5.0)
    return f"killed, it did not stop within {record.program.stop_seconds_max:.0f} s"


def _signal(pid: int, number: signal.Signals):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _gone(record: Record, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while record.alive():
        if time.monotonic() > deadline:
            return False
        try:  # our own child must be collected before it is gone
            os.waitpid(record.pid, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(POLL_SECONDS)
    return True


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log, indented to stand under a line of ours."""
    try:
        last = path.read_bytes()[-20000:].decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line[:300]}" for line in last)
