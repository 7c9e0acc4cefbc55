"""How each program of the stack is run."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from .layout import BASE_DEFAULT, KAFKA_LIB, ROOT, VENV_PYTHON, Stack, Trouble, binary
from .process import Program, tail

LOCAL = ROOT / "deploy" / "local"
# Compiling less is what makes a JVM start fast; a broker that lives for hours pays it back after a minute.
BROKER_MEMORY = {1: ["-Xms256m", "-Xmx1g"], 3: ["-Xms256m", "-Xmx512m"]}


def java() -> str:
    found = shutil.which("java")
    if not found:
        raise Trouble("java is missing: run `make setup` (Debian: apt-get install openjdk-17-jre-headless)")
    return found


def broker(stack: Stack, node: int) -> Program:
    if not any(KAFKA_LIB.glob("kafka_2.13-*.jar")):
        raise Trouble(f"Kafka's jars are missing in {KAFKA_LIB}: run `make setup`")
    home = stack.directory / "kafka" / str(node)
    settings = str(LOCAL / "kafka" / "log4j2.properties")
    return Program(
        name="kafka" if stack.brokers == 1 else f"kafka-{node}",
        argv=[
            java(),
            *BROKER_MEMORY[1 if stack.brokers == 1 else 3],
            "-XX:+UseG1GC",
            "-cp",
            f"{KAFKA_LIB}/*",
            f"-Dlog4j2.configurationFile={settings}",
            "kafka.Kafka",
            str(home / "server.properties"),
        ],
        cwd=str(home),
        ports=[stack.broker_port(node), stack.controller_port(node), stack.proxied_ports(node)[0]],
        probe=f"kafka://127.0.0.1:{stack.broker_port(node)}/{stack.brokers}",
        address=f"127.0.0.1:{stack.broker_port(node)}",
        stop_seconds_max=30.0,
    )


def prepare_broker(stack: Stack, node: int):
    """Writes the broker's configuration and, the first time, formats its directory."""
    home = stack.directory / "kafka" / str(node)
    home.mkdir(parents=True, exist_ok=True)
    nodes = range(1, stack.brokers + 1)
    if stack.brokers == 1:
        quorum = f"controller.quorum.bootstrap.servers=127.0.0.1:{stack.controller_port(1)}"
    else:
        voters = ",".join(f"{other}@127.0.0.1:{stack.controller_port(other)}" for other in nodes)
        quorum = f"controller.quorum.voters={voters}"
    properties = home / "server.properties"
    template = (LOCAL / "kafka" / "server.properties").read_text()
    for name, value in {
        "node": node,
        "quorum": quorum,
        "port": stack.broker_port(node),
        "controller_port": stack.controller_port(node),
        "behind": stack.proxied_ports(node)[0],
        "proxied": stack.proxied_ports(node)[1],
        "data": home / "data",
        "replication": stack.brokers,
        "in_sync": max(1, stack.brokers - 1),
    }.items():
        template = template.replace("{%s}" % name, str(value))
    properties.write_text(template)
    if not (home / "data" / "meta.properties").exists():
        _format(stack, node, properties)


def _format(stack: Stack, node: int, properties: Path):
    log = stack.log(f"kafka-format-{node}")
    log.parent.mkdir(parents=True, exist_ok=True)
    mode = ["--standalone"] if stack.brokers == 1 else []
    command = [java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{KAFKA_LIB}/*"]
    command += ["kafka.tools.StorageTool", "format", *mode, "-t", cluster_id(stack), "-c", str(properties)]
    with open(log, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Trouble(f"kafka: formatting {properties.parent} failed, {log} ends with\n{tail(log)}")


def elect(stack: Stack):
    """Leaders of all partitions go back to where the plan wants them; those already there stay."""
    brokers = ",".join(f"127.0.0.1:{stack.broker_port(node)}" for node in range(1, stack.brokers + 1))
    log = stack.log("kafka-elect")
    command = [java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{KAFKA_LIB}/*"]
    command += ["org.apache.kafka.tools.LeaderElectionCommand", "--bootstrap-server", brokers]
    command += ["--election-type", "preferred", "--all-topic-partitions"]
    with open(log, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Trouble(f"kafka: electing leaders failed, {log} ends with\n{tail(log)}")


def cluster_id(stack: Stack) -> str:
    """One id for all brokers of a stack, as `StorageTool random-uuid` writes it, decided before they start."""
    path = stack.directory / "kafka" / "cluster.id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(random_uuid())
    return path.read_text()


def random_uuid(bits=lambda: uuid.uuid4().bytes) -> str:
    """As Kafka's `Uuid.randomUuid`: none with a dash in front, which a command would take for an option."""
    while True:
        text = base64.urlsafe_b64encode(bits()).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def registry(stack: Stack) -> Program:
    home = stack.directory / "registry"
    address = f"127.0.0.1:{stack.port('registry')}"
    return Program(
        name="registry",
        argv=[binary("weft-registry"), "--listen", address, "--store", str(home / "store.json")],
        cwd=str(home),
        ports=[stack.port("registry")],
        probe=f"http://{address}/subjects",
        address=f"http://{address}",
    )


def clickhouse(stack: Stack) -> Program:
    if not VENV_PYTHON.exists():
        raise Trouble(f"the Python environment {VENV_PYTHON.parents[1]} is missing: run `make setup`")
    home = stack.directory / "clickhouse"
    address = f"127.0.0.1:{stack.port('clickhouse')}"
    front = str(LOCAL / "clickhouse" / "front.py")
    return Program(
        name="clickhouse",
        argv=[str(VENV_PYTHON), front, "--listen", address, "--path", str(home / "data")],
        cwd=str(home),
        ports=[stack.port("clickhouse")],
        probe=f"http://{address}/?query=SELECT%201",
        address=f"http://{address}",
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )


def prometheus(stack: Stack) -> Program:
    program = shutil.which("prometheus")
    if not program:
        raise Trouble("prometheus is missing: run `make setup` (Debian: apt-get install prometheus)")
    home = stack.directory / "prometheus"
    address = f"127.0.0.1:{stack.port('prometheus')}"
    return Program(
        name="prometheus",
        argv=[
            program,
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            "--storage.tsdb.retention.time=2d",
            f"--web.listen-address={address}",
        ],
        cwd=str(home),
        ports=[stack.port("prometheus")],
        probe=f"http://{address}/-/ready",
        address=f"http://{address}",
    )


def prepare_prometheus(stack: Stack):
    """The committed configuration, its ports moved to this stack's base."""
    home = stack.directory / "prometheus"
    home.mkdir(parents=True, exist_ok=True)
    committed = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()

    def moved(port: re.Match) -> str:
        return f"127.0.0.1:{int(port[1]) - BASE_DEFAULT + stack.base}"

    (home / "prometheus.yml").write_text(re.sub(r"127\.0\.0\.1:(\d+)", moved, committed))
    rules = ROOT / "deploy" / "prometheus" / "weft.rules.yml"
    (home / rules.name).write_text(rules.read_text())


def service(stack: Stack, name: str) -> Program:
    ports = [stack.admin_port(name)]
    address = f"http://127.0.0.1:{stack.admin_port(name)}"
    if name in ("ingest", "gateway"):
        ports.append(stack.port(name))
        address = f"http://127.0.0.1:{stack.port(name)}"
    argv = [binary(f"weft-{name}")]
    # A weft.toml at the root of the clone is the user's own; without it the environment says everything.
    if (ROOT / "weft.toml").exists():
        argv += ["--config", str(ROOT / "weft.toml")]
    return Program(
        name=name,
        argv=argv,
        cwd=str(stack.directory / name),
        ports=ports,
        probe=f"http://127.0.0.1:{stack.admin_port(name)}/readyz",
        address=address,
        environment=stack.environment(),
    )


def supervised(stack: Stack, program: Program) -> Program:
    """The supervisor of a program: it reads what to run from the program's record."""
    return Program(
        name=f"{program.name}.supervisor",
        argv=[sys.executable, str(LOCAL / "stack"), "supervise", str(stack.directory), program.name],
        cwd=program.cwd,
        ports=[],
        probe=program.probe,
        address=program.address,
        stop_seconds_max=program.stop_seconds_max + 5.0,
    )


def weft(stack: Stack, *arguments: str):
    """Runs the operator's command against this stack."""
    log = stack.log("weft")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [binary("weft"), *arguments]
    environment = os.environ | stack.environment()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    with open(log, "ab") as output:
        output.write(f"$ weft {' '.join(arguments)}\n".encode() + done.stdout)
    if done.returncode:
        text = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        shown = "\n".join(f"    {line}" for line in text)
        raise Trouble(f"`weft {' '.join(arguments)}` ended with {done.returncode}\n{shown}")


