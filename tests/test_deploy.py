"""The Dockerfile and deploy/: each file is what its reader takes, and fits the others and the service."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
import yaml
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from service import embedded, processes, store, worker
from service.config import load_config
from service.doctor._redis import of_redis, read_redis
from service.engine import rulebook
from service.serve import api
from service.settings import load
from tests.conftest import SetClock
from tests.test_store import free_port, serving
from tests.webhooks.payloads import body, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira, signature

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
UNITS: Final = sorted((DEPLOY / "systemd").iterdir())


def program(name: str) -> str:
    """A tool that came with the environment of the tests."""
    return str(Path(sys.executable).with_name(name))


def documents(path: Path) -> list[Any]:
    """All that a file of YAML holds."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What the command prints; fails where it does."""
    ran = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


# The image


def instructions() -> list[str]:
    """The Dockerfile's lines, with those that go on in the next one joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_dockerfile_lints_clean() -> None:
    assert run(program("hadolint"), "Dockerfile") == ""


def test_the_image_installs_nothing_that_no_lock_file_pins() -> None:
    installs = [line for line in instructions() if "pip" in line and " install " in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in installs)


def test_the_lock_file_of_the_image_s_build_pins_what_the_package_needs_to_be_built() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    text = (ROOT / "requirements-build.lock").read_text()
    assert all(re.search(rf"^{name}==\S+ \\$", text, re.MULTILINE) for name in wanted)
    assert not re.search(r"https?://|index-url|find-links", text)


def test_the_image_is_told_by_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}" in instructions()


def test_docker_is_given_each_file_that_the_image_is_built_from() -> None:
    copied = {
        name
        for line in instructions()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    given = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == given
    assert all((ROOT / name).exists() for name in copied)


def test_the_package_that_the_image_installs_has_every_file_of_the_service(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path)
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("service/")}
    there = (path.relative_to(ROOT) for path in (ROOT / "service").rglob("*") if path.is_file())
    assert packed == {str(path) for path in there if "__pycache__" not in path.parts}


def test_the_image_runs_as_nobody_and_says_whether_it_is_well() -> None:
    assert "USER 10001" in instructions()
    (health,) = (line for line in instructions() if line.startswith("HEALTHCHECK"))
    assert "/healthz" in health


# Docker Compose


@pytest.fixture(scope="session")
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_the_compose_file_is_one() -> None:
    run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_what_the_compose_file_mounts_and_builds_from_is_there(compose: Any) -> None:
    mounts = [mount.split(":")[0] for one in compose["services"].values() for mount in one.get("volumes", [])]
    copied_by_the_reader = {"../crafty.toml"}
    files = {mount for mount in mounts if mount.startswith(".")} - copied_by_the_reader
    assert all((DEPLOY / name).exists() for name in files)
    assert {mount for mount in mounts if not mount.startswith(".")} <= compose["volumes"].keys()
    assert (DEPLOY / compose["services"]["api"]["build"] / "Dockerfile").exists()


@pytest.mark.parametrize("name", ["api", "worker"])
def test_crafty_s_containers_are_set_as_crafty_reads_it(compose: Any, name: str, tmp_path: Path) -> None:
    service = compose["services"][name]
    ours = {key: value for key, value in service["environment"].items() if key.startswith("CRAFTY_")}
    shutil.copy(DEPLOY / "crafty.example.toml", tmp_path / "crafty.toml")
    settings = load({**ours, "CRAFTY_CONFIG": "crafty.toml"}, tmp_path)
    assert settings.redis_url.get_secret_value() == "redis://redis:6379/0"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_nothing_but_the_proxy_can_be_reached_from_outside(compose: Any) -> None:
    ports = {
        name: port for name, one in compose["services"].items() for port in one.get("ports", []) if name != "proxy"
    }
    assert all(port.startswith("127.0.0.1:") for port in ports.values())


@pytest.mark.parametrize(
    ("proxy", "claimed", "told"),
    [
        pytest.param("172.30.71.4", "203.0.113.9", "203.0.113.9", id="what the proxy tells counts"),
        pytest.param("172.30.71.4", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="not what its caller claimed"),
        pytest.param("203.0.113.9", "198.51.100.1", "203.0.113.9", id="nobody else is believed"),
    ],
)
async def test_the_caller_s_address_is_the_one_that_the_proxy_tells(
    compose: Any, proxy: str, claimed: str, told: str
) -> None:
    heard: list[Any] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        heard.append(scope["client"][0])

    trusted = compose["services"]["api"]["environment"]["FORWARDED_ALLOW_IPS"]
    config = uvicorn.Config(app, forwarded_allow_ips=trusted, log_config=None)
    config.load()
    scope = {"type": "http", "client": (proxy, 1), "headers": [(b"x-forwarded-for", claimed.encode())]}
    await config.loaded_app(scope, None, None)
    assert heard == [told]


# How long to wait for an end


@pytest.mark.parametrize(
    ("told", "needed"),
    [
        pytest.param(lambda: seconds_of("api"), api.GRACE_SECONDS, id="the API"),
        pytest.param(lambda: seconds_of("worker"), worker.STOP_SECONDS, id="a worker"),
        pytest.param(
            lambda: [unit("crafty.service")["Service"]["TimeoutStopSec"]],
            processes.STOP_SECONDS + embedded.STOP_SECONDS,
            id="all in one",
        ),
    ],
)
def test_whoever_stops_a_process_waits_until_it_has_finished(told: Any, needed: float) -> None:
    assert all(int(seconds) > needed for seconds in told())


def seconds_of(name: str) -> list[Any]:
    """How long compose, systemd and Kubernetes wait for that part."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    units = [path.name for path in UNITS if path.name.startswith(f"crafty-{name}")]
    pods = [
        one["spec"]["template"]["spec"]
        for one in documents(DEPLOY / "kubernetes" / "base" / f"{name}.yaml")
        if one["kind"] == "Deployment"
    ]
    return [
        services[name]["stop_grace_period"].removesuffix("s"),
        *(unit(one)["Service"]["TimeoutStopSec"] for one in units),
        *(pod["terminationGracePeriodSeconds"] for pod in pods),
    ]


# systemd


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment] # keys of units have capitals
    read.read(DEPLOY / "systemd" / name)
    return read


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/crafty/.venv/bin/crafty", sys.executable))
    assert run("systemd-analyze", "verify", "--man=no", *tmp_path.iterdir()) == ""


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is_as_a_user_without_rights(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert service["ExecStart"].split()[1] in {"up", "api", "worker"}
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("crafty", "yes", "strict")


# Redis


async def test_the_redis_of_redis_conf_has_nothing_that_the_doctor_finds_wrong(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "redis.conf"
    config.write_text((DEPLOY / "redis.conf").read_text().replace("dir /data", f"dir {tmp_path}"))
    with serving(port, str(config), "--port", str(port), "--bind", "127.0.0.1"):
        client = Redis(connection_pool=store.connect(f"redis://127.0.0.1:{port}/0"))
        assert {finding.state for finding in of_redis(await read_redis(client))} == {"fine"}
        assert (await client.config_get("appendfsync"))["appendfsync"] == "always"
        await client.aclose(close_connection_pool=True)


# Rotation of secrets


async def test_a_secret_is_rotated_without_a_delivery_that_is_refused(
    redis: Redis, redis_url: str, clock: SetClock, report: Callable[[str], None], tmp_path: Path
) -> None:
    """As docs/operations.md has it: both secrets are known before the sender changes to the new one."""
    answers: list[int] = []
    for secrets, sender_has in (("old", ["old"]), ("new,old", ["old", "new"]), ("new", ["new"])):
        (tmp_path / "secret").write_text(secrets)
        settings = load({"CRAFTY_JIRA_WEBHOOK_SECRET_FILE": "secret"}, tmp_path)
        app = app_of(redis_url, clock, jira_webhook_secret=settings.jira_webhook_secret)
        async with app.router.lifespan_context(app), client_of(app) as http:
            for secret in sender_has:
                data = body(issue_updated(timestamp=len(answers)))
                answer = await post_jira(http, data, x_hub_signature=signature(data, secret))
                answers.append(answer.status_code)
            refused = await post_jira(http, b"{}", x_hub_signature=signature(b"{}", "a third one"))
            assert refused.status_code == 401
    assert answers == [202] * 4
    report(f"rotation of a webhook secret: {len(answers)} deliveries before, while and after, 0 refused")


# Examples that Crafty itself reads


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("crafty*.toml")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_each_example_of_the_configuration_is_one(path: Path) -> None:
    config = load_config(path)
    assert config.cells
    assert set(config.rules) <= {rule.name for rule in rulebook(config).rules}
