"""What happens in which order: `up`, `down`, `status`, the supervisor.

Everything that does not need another piece runs beside it: the migrations while Kafka starts, the six services
together.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Callable

from . import pieces, process
from .layout import REPLACEABLE, ROOT, SERVICES, Stack, Trouble
from .probe import waiting_for

INFRA = ["kafka", "registry", "clickhouse", "prometheus"]
BACKOFF_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 10.0
# A program that lived this long was well: the next restart is quick again.
WELL_SECONDS = 30.0
# In `up` a service may fall over this often before it counts as broken.
RESTARTS_MAX = 3

_say_lock = threading.Lock()
# Set once a step failed or Ctrl-C came: nobody waits for readiness any longer.
_given_up = threading.Event()


def say(text: str):
    with _say_lock:
        print(text, flush=True)


@dataclass
class Step:
    """Something to do once other steps are done; answers what to show for it."""

    name: str
    act: Callable[[], str | None]
    after: list[str] = field(default_factory=list)


def up(stack: Stack, names: list[str], supervise: bool) -> list[str]:
    """Brings the named pieces up and waits until they are ready; answers the names of those started here."""
    stack.write()
    started: list[str] = []
    steps = _infra_steps(stack, names, started)
    if any(name in SERVICES for name in names):
        steps += _preparation(stack)
        steps += [
            Step(name, lambda name=name: _start(stack, pieces.service(stack, name), started, supervise), ["apply"])
            for name in names
            if name in SERVICES
        ]
    try:
        _run_steps(steps)
    except (Trouble, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if started:
            say("  taking down what was started")
            down(stack, started)
        raise
    return started


def _infra_steps(stack: Stack, names: list[str], started: list[str]) -> list[Step]:
    steps = []
    for name in names:
        if name not in INFRA:
            continue
        given = os.environ.get(REPLACEABLE.get(name, ""))
        if given:
            steps.append(Step(name, lambda given=given: f"{given} (yours, nothing started)"))
        elif name == "kafka":
            steps.append(Step(name, lambda: _start_kafka(stack, started)))
        elif name == "prometheus":
            steps.append(Step(name, lambda: _start_prometheus(stack, started)))
        else:
            make = getattr(pieces, name)
            steps.append(Step(name, lambda make=make: _start(stack, make(stack), started)))
    return steps


def _preparation(stack: Stack) -> list[Step]:
    demo = str(ROOT / "deploy" / "demo")
    return [
        Step("topics", lambda: pieces.weft(stack, "topics", "apply"), ["kafka"]),
        Step("schemas", lambda: pieces.weft(stack, "schemas", "register"), ["registry"]),
        Step("migrations", lambda: pieces.weft(stack, "migrate"), ["clickhouse"]),
        Step("apply", lambda: pieces.weft(stack, "apply", "-f", demo), ["topics", "schemas", "migrations"]),
    ]


def _run_steps(steps: list[Step]):
    """Runs every step as soon as those before it are done; the first failure lets no further one begin."""
    begun = time.monotonic()
    known = {step.name for step in steps}
    waiting = list(steps)
    done: set[str] = set()
    failures: list[BaseException] = []
    running = {}
    with ThreadPoolExecutor(max_workers=max(1, len(steps))) as pool:
        try:
            while running or (waiting and not failures):
                for step in [step for step in waiting if not failures and done >= known.intersection(step.after)]:
                    waiting.remove(step)
                    running[pool.submit(step.act)] = (step.name, time.monotonic())
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name, at = running.pop(future)
                    if future.exception():
                        failures.append(future.exception())
                        _given_up.set()
                        continue
                    done.add(name)
                    say(f"  {name:<12} {time.monotonic() - at:5.1f} s  {future.result() or 'done'}")
        except KeyboardInterrupt:
            _given_up.set()
            raise
    if failures:
        raise failures[0]
    say(f"  ready after  {time.monotonic() - begun:5.1f} s")


def _start_kafka(stack: Stack, started: list[str]) -> str:
    nodes = range(1, stack.brokers + 1)

    def one(node: int) -> str:
        program = pieces.broker(stack, node)
        return _start(stack, program, started, prepare=lambda: pieces.prepare_broker(stack, node))

    pieces.cluster_id(stack)
    with ThreadPoolExecutor(max_workers=stack.brokers) as pool:
        return ", ".join(pool.map(one, nodes))


def _start_prometheus(stack: Stack, started: list[str]) -> str:
    program = pieces.prometheus(stack)
    return _start(stack, program, started, prepare=lambda: pieces.prepare_prometheus(stack))


def _start(stack, program, started, supervise=False, prepare=lambda: None) -> str:
    """Starts a program unless ours already runs; returns when it is ready."""
    present = process.read(stack, program.name)
    supervisor = process.read(stack, f"{program.name}.supervisor")
    if present and (present.alive() or (supervisor and supervisor.alive())):
        _await_ready(stack, program, None)
        return f"{program.address} (already up, pid {present.pid})"
    if present:
        say(f"  {program.name:<12} a former run left pid {present.pid}, which is gone; starting anew")
        process.forget(stack, program.name)
    process.require_ports(program)
    prepare()
    child = None
    if supervise:
        # The supervisor reads its charge from this record and puts the living pid in.
        process.write(stack, process.Record(program, 0, None))
        record, _ = process.launch(stack, pieces.supervised(stack, program))
        started += [record.program.name, program.name]
    else:
        _, child = process.launch(stack, program)
        started.append(program.name)
    _await_ready(stack, program, child)
    return program.address


def _await_ready(stack: Stack, program: process.Program, child: subprocess.Popen | None):
    deadline = time.monotonic() + program.ready_seconds_max
    log = stack.log(program.name)

    def trouble(what: str) -> Trouble:
        return Trouble(f"{program.name} {what}, {log} ends with\n{process.tail(log)}")

    while missing := waiting_for(program.probe):
        record = process.read(stack, program.name)
        if child and child.poll() is not None:
            raise trouble(f"ended with {child.returncode} on start")
        if record and record.restarts >= RESTARTS_MAX:
            raise trouble("keeps falling over")
        if _given_up.is_set():
            raise Trouble(f"{program.name} was not waited for")
        if time.monotonic() > deadline:
            raise trouble(f"is not ready after {program.ready_seconds_max:.0f} s ({missing})")
        time.sleep(process.POLL_SECONDS)


def down(stack: Stack, names: list[str] | None = None, quiet: bool = False):
    """Ends what is recorded as started, services before what they stand on; `quiet` tells only what went wrong."""
    chosen = [record for record in process.records(stack) if names is None or record.program.name in names]
    supervisors = [record for record in chosen if _is_supervisor(record)]
    ended = _end(stack, supervisors)
    # A supervisor ends its charge, and may have started it anew since the records were read.
    chosen = [process.read(stack, record.program.name) for record in chosen if not _is_supervisor(record)]
    infra = [record for record in chosen if record.program.name.split("-")[0] in INFRA]
    services = [record for record in chosen if record not in infra]
    for group in (services, infra):
        for name, how in _end(stack, group).items():
            how = ended.get(f"{name}.supervisor", how)
            if not (quiet and how == process.STOPPED):
                say(f"  {name:<12} {how}")


def _is_supervisor(record: process.Record) -> bool:
    return record.program.name.endswith(".supervisor")


def _end(stack: Stack, group: list[process.Record]) -> dict[str, str]:
    """Ends programs side by side; answers how each went."""
    if not group:
        return {}
    with ThreadPoolExecutor(max_workers=len(group)) as pool:
        ends = dict(zip([record.program.name for record in group], pool.map(process.stop, group)))
    for name in ends:
        process.forget(stack, name)
    return ends


def status(stack: Stack) -> bool:
    """Prints a line for every recorded program; answers whether all of them are well."""
    well = True
    for record in process.records(stack):
        program = record.program
        if _is_supervisor(record):
            continue
        if not record.alive():
            state = "DEAD"
        else:
            missing = waiting_for(program.probe)
            state = "ready" if not missing else f"not ready: {missing}"
        well = well and state == "ready"
        restarts = f", {record.restarts} restarts" if record.restarts else ""
        say(f"  {program.name:<12} {program.address:<28} pid {record.pid:<8} {state}{restarts}")
    return well


def supervise(stack: Stack, name: str):
    """Keeps one program running until told to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    program = process.read(stack, name).program
    backoff = BACKOFF_SECONDS
    restarts = 0
    while not stopping.is_set():
        begun = time.monotonic()
        record, child = process.launch(stack, program)
        record.restarts = restarts
        process.write(stack, record)
        while child.poll() is None and not stopping.wait(process.POLL_SECONDS):
            pass
        if stopping.is_set():
            process.stop(record)
            return
        if time.monotonic() - begun > WELL_SECONDS:
            backoff = BACKOFF_SECONDS
        with open(stack.log(name), "a") as log:
            log.write(f"supervisor: {name} ended with {child.returncode}, starts again in {backoff} s\n")
        stopping.wait(backoff)
        backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
        restarts += 1


def run(stack: Stack, started: list[str], command: list[str], bare: bool) -> int:
    """Runs a command beside the stack and afterwards ends what was started for it; answers the command's exit code."""
    environment = dict(os.environ) if bare else os.environ | stack.environment()
    try:
        # A Ctrl-C reaches the command too, which decides when it has finished; we only see it out.
        signal.signal(signal.SIGINT, lambda *_: None)
        child = subprocess.Popen(command, env=environment, cwd=ROOT)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
        # A shell's way of saying which signal ended a program.
        return code if code >= 0 else 128 - code
    except FileNotFoundError as cause:
        raise Trouble(f"{cause.filename} is missing: run `make build`") from None
    finally:
        # The command's last words stay the last ones.
        down(stack, started, quiet=True)
