"""Where a stack lies and on which ports it listens."""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Downloads, shared by every stack of this clone.
SHARED = ROOT / ".local"
KAFKA_LIB = SHARED / "kafka" / "lib"
VENV_PYTHON = SHARED / "venv" / "bin" / "python"

BASE_DEFAULT = 19000
OFFSETS = {
    "ingest": 80,
    "gateway": 90,
    "kafka": 92,
    "kafka-controller": 93,
    # For a proxy: it listens on the second, which the broker names to whoever comes in by the first.
    "kafka-behind": 96,
    "kafka-proxied": 97,
    "registry": 81,
    "clickhouse": 123,
    "prometheus": 95,
}
SERVICES = ["ingest", "threading", "routing", "delivery", "analytics", "gateway"]
ADMIN_OFFSET = 101
# Brokers beyond the first sit a hundred ports further each.
BROKER_STEP = 100
BROKERS_MAX = 3
SPAN = OFFSETS["clickhouse"] + BROKER_STEP * (BROKERS_MAX - 1)

# Given from outside, the piece is somebody's own and nothing local is started for it.
REPLACEABLE = {
    "kafka": "WEFT_KAFKA__BOOTSTRAP",
    "registry": "WEFT_SCHEMA_REGISTRY__URL",
    "clickhouse": "WEFT_CLICKHOUSE__URL",
}


class Trouble(Exception):
    """One line for the user: what is wrong, and the way out."""


@dataclass(frozen=True)
class Stack:
    """One stack: a directory for everything it writes, a base for its ports, a number of brokers."""

    directory: Path
    base: int
    brokers: int = 1

    def port(self, name: str) -> int:
        return self.base + OFFSETS[name]

    def admin_port(self, service: str) -> int:
        return self.base + ADMIN_OFFSET + SERVICES.index(service)

    def broker_port(self, node: int) -> int:
        return self.port("kafka") + BROKER_STEP * (node - 1)

    def controller_port(self, node: int) -> int:
        return self.port("kafka-controller") + BROKER_STEP * (node - 1)

    def proxied_ports(self, node: int) -> tuple[int, int]:
        step = BROKER_STEP * (node - 1)
        return self.port("kafka-behind") + step, self.port("kafka-proxied") + step

    @property
    def run(self) -> Path:
        return self.directory / "run"

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    @property
    def env_file(self) -> Path:
        return self.directory / "env"

    def environment(self) -> dict[str, str]:
        """What services, the `weft` command and tests need to find this stack."""
        brokers = ",".join(f"127.0.0.1:{self.broker_port(node)}" for node in range(1, self.brokers + 1))
        local = {
            "WEFT_KAFKA__BOOTSTRAP": brokers,
            "WEFT_SCHEMA_REGISTRY__URL": f"http://127.0.0.1:{self.port('registry')}",
            "WEFT_CLICKHOUSE__URL": f"http://127.0.0.1:{self.port('clickhouse')}",
            "WEFT_KEY_SECRET": self._secret("key"),
            "WEFT_TOKEN_SECRET": self._secret("token"),
        }
        environment = {name: os.environ.get(name) or value for name, value in local.items()}
        environment["WEFT_PORT_BASE"] = str(self.base)
        environment["PROMETHEUS_URL"] = f"http://127.0.0.1:{self.port('prometheus')}"
        for service in ("ingest", "gateway"):
            environment[f"WEFT_{service.upper()}__LISTEN"] = f"127.0.0.1:{self.port(service)}"
        # The simulated providers of the demo and of the tests stand here.
        environment["WEFT_DELIVERY__INTERNAL_HOSTS"] = "127.0.0.1,localhost"
        environment["WEFT_MEDIA__STORE"] = str(self.directory.absolute() / "media")
        environment["WEFT_MEDIA__PUBLIC_URL"] = f"http://127.0.0.1:{self.port('gateway')}"
        # Simulated platforms give files out without TLS, on the loopback.
        environment["WEFT_DELIVERY__MEDIA_INTERNAL_HOSTS"] = "127.0.0.1"
        environment["WEFT_INGEST__SPOOL_DIRECTORY"] = str(self.directory.absolute() / "spool")
        environment["WEFT_KAFKA__STATE_DIR"] = str(self.directory.absolute() / "state")
        for service in SERVICES:
            environment[f"WEFT_{service.upper()}__ADMIN_LISTEN"] = f"127.0.0.1:{self.admin_port(service)}"
        return environment | demo_secrets()

    def _secret(self, name: str) -> str:
        """Customer keys and tokens are made with these, so they stay as long as the data does."""
        path = self.directory / f"{name}.secret"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip()

    def write(self):
        """The env file (KEY=value lines, as a shell reads them) and this stack's own memory."""
        self.run.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in self.environment().items()]
        with open(os.open(self.env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(lines)
        memory = {"base": self.base, "brokers": self.brokers}
        (self.run / "stack.json").write_text(json.dumps(memory))


def demo_secrets() -> dict[str, str]:
    """The secrets that the demo's configuration refers to (`{env: NAME}`), worth nothing outside of it."""
    path = ROOT / "deploy" / "demo" / "demo.env"
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def remembered(directory: Path) -> Stack | None:
    """The stack that was last started in a directory."""
    try:
        memory = json.loads((directory / "run" / "stack.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Stack(directory, memory["base"], memory["brokers"])


def chosen_base(text: str | None) -> int | None:
    """The base asked for: a number, `free`, or nothing."""
    if text is None or text == "":
        return None
    if text == "free":
        return free_base()
    if not text.isdigit() or not 1024 <= int(text) <= 65535 - SPAN:
        raise Trouble(f"expected a port base from 1024 to {65535 - SPAN} or `free`, got {text}")
    return int(text)


def free_base() -> int:
    """A base below the range that the kernel hands out, with nothing on any of its ports."""
    bases = list(range(20000, 32000, 500))
    random.shuffle(bases)
    for base in bases:
        stack = Stack(Path(), base, BROKERS_MAX)
        ports = [stack.port(name) for name in OFFSETS] + [stack.admin_port(service) for service in SERVICES]
        for node in range(1, BROKERS_MAX + 1):
            ports += [stack.broker_port(node), stack.controller_port(node), *stack.proxied_ports(node)]
        if all(is_free(port) for port in ports):
            return base
    raise Trouble("no base from 20000 to 32000 has all its ports free: end something, or name one with --base")


def is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def binary(name: str) -> str:
    """A program of this workspace, from the build directory that cargo uses."""
    directory = os.environ.get("WEFT_RUN_BIN_DIR")
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    path = Path(directory) / name if directory else ROOT / target / "debug" / name
    if not path.exists():
        raise Trouble(f"{path} is missing: run `make build`")
    return str(path)
