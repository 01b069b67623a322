"""The image, the compose file and the Kubernetes example say what the code says, as far as shows offline."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

import kubernetes_validate
import pytest
import yaml

from infra.cli import app
from infra.settings import Settings, WrongSetting, load
from tests.stage.process import Broker

HOUSE = Path(__file__).resolve().parents[2]
DOCKERFILE = (HOUSE / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((HOUSE / "compose.yaml").read_text())
MANIFESTS = [
    document
    for path in sorted((HOUSE / "infra" / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
DEPLOYMENTS = [one for one in MANIFESTS if one["kind"] == "Deployment"]
OURS = [service for service in COMPOSE["services"].values() if service["image"] == "sluice"]
SECRET = re.compile("PASSWORD|TOKEN|SECRET|KEY")


def named(kind: str, name: str = "sluice") -> dict[str, Any]:
    return next(one for one in MANIFESTS if one["kind"] == kind and one["metadata"]["name"] == name)


def pod(deployment: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def environment() -> Mapping[str, str]:
    lines = re.search(r"^ENV PATH.*?[^\\]\n", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert lines is not None
    return dict(re.findall(r"([A-Z_]+)=(\S+)", lines[0]))


def exported(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> Settings:
    for name, value in {**environment(), **values}.items():
        if name.startswith("SLUICE_"):
            monkeypatch.setenv(name, value)
    return load()


def filled(values: Mapping[str, str]) -> dict[str, str]:
    return {name: re.sub(r"\$\{\w+:\?[^}]*\}", "given", value) for name, value in values.items()}


def texts() -> Iterator[str]:
    for path in (HOUSE / "Dockerfile", HOUSE / "compose.yaml", HOUSE / "infra" / "containers.md"):
        yield path.read_text()
    for path in (HOUSE / "infra" / "kubernetes").glob("*.yaml"):
        yield path.read_text()


def test_every_setting_they_name_exists() -> None:
    said = {name for text in texts() for name in re.findall(r"SLUICE_([A-Z_]+)", text)}
    assert len(said) > 8
    assert {name.lower() for name in said} <= set(Settings.model_fields)


def test_every_command_they_run_exists() -> None:
    known = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    default = re.findall(r'^CMD \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)
    run = [service["command"] for service in OURS] + [default]
    run += [pod(deployment)["containers"][0]["args"] for deployment in DEPLOYMENTS]
    assert all(len(words) == 1 for words in run)
    assert {words[0] for words in run} == {"serve", "api", "work"}
    assert {words[0] for words in run} <= known


def test_compose_and_kubernetes_set_what_a_process_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in OURS:
        settings = exported(monkeypatch, filled(service["environment"]))
        assert settings.log.startswith("kafka://")
    settings = exported(monkeypatch, named("ConfigMap")["data"] | named("Secret")["stringData"])
    assert settings.database is not None


def test_what_is_secret_stands_in_no_file() -> None:
    for service in COMPOSE["services"].values():
        secret = {name: value for name, value in service["environment"].items() if SECRET.search(name)}
        assert all(re.fullmatch(r"\$\{\w+:\?.+\}", value) for value in secret.values()), secret
    assert set(named("Secret")["stringData"].values()) == {"REPLACE-ME"}
    assert not [name for name in named("ConfigMap")["data"] if SECRET.search(name)]


def test_they_are_reached_at_one_port() -> None:
    port = int(environment()["SLUICE_PORT"])
    assert Settings.model_fields["port"].default == port
    assert f"EXPOSE {port}\n" in DOCKERFILE
    assert COMPOSE["services"]["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    for deployment in DEPLOYMENTS:
        [container] = pod(deployment)["containers"]
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "startup": "/health",
            "liveness": "/health",
            "readiness": "/ready",
        }
        assert {probe["port"] for probe in probes.values()} == {"http"}
    assert named("Service")["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]


def test_a_stop_has_longer_than_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in OURS:
        deadline = exported(monkeypatch, filled(service["environment"])).stop_deadline / 1e9
        assert int(service["stop_grace_period"].removesuffix("s")) > deadline
    deadline = exported(monkeypatch, named("ConfigMap")["data"]).stop_deadline / 1e9
    for deployment in DEPLOYMENTS:
        [container] = pod(deployment)["containers"]
        before = (
            container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])[1]
        )
        assert pod(deployment)["terminationGracePeriodSeconds"] > deadline + int(before)


def test_images_are_pinned_and_kafka_is_the_one_that_is_tested() -> None:
    bases = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    images = [service["image"] for service in COMPOSE["services"].values() if service not in OURS]
    assert all(re.search(r":\d+\.\d+(\.\d+)?(-|$)", image) for image in [*bases, *images])
    pom = (HOUSE / "infra" / "dev" / "pom.xml").read_text()
    tested = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([^<]+)", pom)
    assert tested is not None
    assert f"apache/kafka:{tested[1]}" in images


def test_who_waits_for_a_server_waits_for_one_that_says_how_it_is() -> None:
    for service in OURS:
        for name, condition in service["depends_on"].items():
            assert condition == {"condition": "service_healthy"}
            assert COMPOSE["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_nobody_is_root_and_nothing_but_the_volumes_is_written() -> None:
    user, group = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[-1]
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in OURS)
    for deployment in DEPLOYMENTS:
        context = pod(deployment)["securityContext"]
        assert context["runAsNonRoot"]
        assert [str(context[name]) for name in ("runAsUser", "runAsGroup")] == [user, group]
        [container] = pod(deployment)["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod(deployment)["volumes"]}
        assert environment()["SLUICE_DATA"] in [mount["mountPath"] for mount in container["volumeMounts"]]
        assert "memory" in container["resources"]["limits"]


def test_a_service_of_this_name_would_set_what_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(pod(deployment)["enableServiceLinks"] is False for deployment in DEPLOYMENTS)
    monkeypatch.setenv("SLUICE_SERVICE_HOST", "10.0.0.7")
    with pytest.raises(WrongSetting):
        load()


def test_everything_selects_what_there_is() -> None:
    labels = [deployment["spec"]["template"]["metadata"]["labels"] for deployment in DEPLOYMENTS]
    assert [deployment["spec"]["selector"]["matchLabels"] for deployment in DEPLOYMENTS] == labels
    budgets = [one["spec"] for one in MANIFESTS if one["kind"] == "PodDisruptionBudget"]
    assert [budget["selector"]["matchLabels"] for budget in budgets] == labels
    assert named("Service")["spec"]["selector"] in labels


@pytest.mark.parametrize("version", ["1.31", "latest"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_a_manifest_is_one_that_kubernetes_takes(manifest: dict[str, Any], version: str) -> None:
    wanted = kubernetes_validate.latest_version() if version == "latest" else version
    kubernetes_validate.validate(manifest, wanted, strict=True)


def test_a_manifest_with_a_misspelt_word_would_be_found() -> None:
    wrong = json.loads(json.dumps(DEPLOYMENTS[0]))
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_what_the_image_copies_is_there_and_is_sent_to_the_builder() -> None:
    own = [line for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]
    copied = {source for line in own for source in line.split()[1:-1]}
    assert all((HOUSE / source).exists() for source in copied)
    sent = {line[1:] for line in (HOUSE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.split("/")[0] for source in copied} == sent
    packages = re.search(r"^include = \[(.+)\]$", (HOUSE / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    assert set(re.findall(r'"(\w+)\*"', packages[1])) <= sent


def test_the_health_check_tells_a_broker_that_serves_from_one_that_does_not() -> None:
    command = re.search(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    asked = json.loads(command[1])

    def status(port: int) -> int:
        env = {**os.environ, "SLUICE_PORT": str(port)}
        return subprocess.run(asked, env=env, capture_output=True, timeout=30, check=False).returncode

    with Broker() as broker:
        assert status(broker.port) == 0
        broker.stop()
        assert status(broker.port) != 0


def test_docker_reads_the_compose_file_as_it_is_meant() -> None:
    docker = which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed here; the file is only read as YAML")
    env = {**os.environ, "POSTGRES_PASSWORD": "p", "ADMIN_TOKEN": "t"}
    said = subprocess.run(
        [docker, "compose", "config", "--format=json"], cwd=HOUSE, env=env, capture_output=True
    )
    assert said.returncode == 0, said.stderr.decode()
    assert set(json.loads(said.stdout)["services"]) == set(COMPOSE["services"])
