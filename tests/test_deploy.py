"""The files of `deploy/` and the deployment guide agree with the program: commands, ports, paths, names, users. No daemon is started."""

import importlib.util
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

import nas
from nas.cli.main import VERBS, _joined, _parser
from nas.cli.service_flags import settings_of
from nas.service.api.health import router
from nas.service.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
GUIDE = ROOT / "docs" / "guides" / "deploy.md"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.name != ".env")
MANIFESTS = sorted(KUBERNETES.glob("*.yaml"))
OURS = ("nas-sparse", "nas-sparse-ray")
DEFAULTS = Settings(data=Path())
LIVE, READY = "/v2/health/live", "/v2/health/ready"

_spec = importlib.util.spec_from_file_location("snippets_of_deploy", Path(__file__).parent / "snippets.py")
assert _spec is not None
assert _spec.loader is not None
snippets = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = snippets
_spec.loader.exec_module(snippets)


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: name and arguments."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last(name: str) -> str:
    """The arguments of the last instruction of this name, which is that of the final stage."""
    return [rest for one, rest in instructions() if one == name][-1]


def services() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def documents() -> list[dict[str, Any]]:
    return [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text()) if one is not None]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in documents() if one["kind"] == kind]


def below(value: object) -> Iterator[Any]:
    """The value and everything inside it."""
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(one)


@dataclass(frozen=True)
class Container:
    name: str
    pod: dict[str, Any]
    spec: dict[str, Any]


def containers() -> list[Container]:
    """All containers of all pods in the manifests."""
    pods = [one for one in below(documents()) if isinstance(one, dict) and "containers" in one]
    return [Container(one["name"], pod, one) for pod in pods for one in pod["containers"]]


def variables() -> dict[str, str]:
    """The variables of the Makefile."""
    return dict(re.findall(r"^(\w+) \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands() -> dict[str, list[str]]:
    """Every command line of `nas`, by its place, without the word `nas`."""
    entry = json.loads(last("ENTRYPOINT"))
    found = {"Dockerfile": entry + json.loads(last("CMD"))}
    for name, one in services().items():
        if one["image"].partition(":")[0] in OURS:
            found[f"compose, {name}"] = one.get("entrypoint", entry) + one.get("command", [])
    for one in containers():
        if "command" in one.spec:
            found[f"kubernetes, {one.name}"] = one.spec["command"] + one.spec.get("args", [])
    for job in of_kind("RayJob"):
        found["kubernetes, RayJob"] = shlex.split(job["spec"]["entrypoint"])
    unit = re.search(r"^ExecStart=(.+)$", (DEPLOY / "nas.service").read_text(), re.MULTILINE)
    assert unit is not None
    found["nas.service"] = shlex.split(unit[1])
    recipe = re.search(r"^\texec \$\(BIN\)/(nas .+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    found["Makefile"] = shlex.split(re.sub(r"\$\((\w+)\)", lambda name: variables()[name[1]], recipe[1]))
    for block in snippets.snippets(str(GUIDE.relative_to(ROOT))):
        for number, line in enumerate(block.source.replace("\\\n", "").splitlines(), block.line):
            words = shlex.split(line, comments=True) if block.language == "sh" else []
            for place, (word, verb) in enumerate(pairwise(words)):
                if Path(word).name == "nas" and verb in VERBS:
                    found[f"guide, line {number}"] = words[place:]
    return {place: words[1:] for place, words in found.items() if Path(words[0]).name == "nas"}


COMMANDS = commands()


def parsed(words: list[str]) -> Any:
    return _parser(words[0]).parse_args(_joined(words))


def settings(place: str) -> Settings:
    return settings_of(parsed(COMMANDS[place]))


@pytest.mark.parametrize("place", COMMANDS)
def test_the_parser_accepts_every_command(place):
    args = parsed(COMMANDS[place])
    if args.verb in ("serve", "worker"):
        settings_of(args)


def test_every_file_that_runs_the_program_was_found():
    places = {place.partition(",")[0] for place in COMMANDS}
    assert places == {"Dockerfile", "compose", "kubernetes", "nas.service", "Makefile", "guide"}
    assert [COMMANDS[f"compose, {name}"][0] for name in ("server", "worker")] == ["serve", "worker"]
    assert [COMMANDS[f"kubernetes, {name}"][0] for name in ("server", "worker")] == ["serve", "worker"]
    with pytest.raises(SystemExit):
        parsed(["serve", "--no-such-flag"])


def test_the_search_on_ray_has_a_configuration_that_the_program_takes():
    from nas.cli.search_flags import config_of

    config = config_of(parsed(COMMANDS["kubernetes, RayJob"]))
    assert (config.executor, config.address) == ("ray", "auto")


@pytest.mark.parametrize("path", [one for one in FILES if one.suffix == ".yaml"], ids=lambda path: path.name)
def test_yaml_is_well_formed_and_tidy(path):
    config = YamlLintConfig(file=str(DEPLOY / ".yamllint.yaml"))
    assert [str(one) for one in linter.run(path.read_text(), config, str(path))] == []


def test_servers_only_answer_where_workers_run_the_searches():
    for where in ("compose", "kubernetes"):
        server, worker = settings(f"{where}, server"), settings(f"{where}, worker")
        assert (server.searches, worker.searches) == (0, 1)
        assert server.data == worker.data
        assert not server.loopback
    assert settings("nas.service").loopback
    assert settings("nas.service").searches > 0


def test_ports_are_the_port_of_the_server():
    assert int(last("EXPOSE")) == DEFAULTS.port
    assert all(settings(place).port == DEFAULTS.port for place, words in COMMANDS.items() if words[0] == "serve")
    address, outside, inside = services()["server"]["ports"][0].split(":")
    assert (address, int(outside), int(inside)) == ("127.0.0.1", DEFAULTS.port, DEFAULTS.port)
    server = next(one for one in containers() if one.name == "server")
    ports = {one["name"]: one["containerPort"] for one in server.spec["ports"]}
    assert ports == {"http": DEFAULTS.port}
    service = next(one for one in of_kind("Service") if one["metadata"]["name"] == "server")["spec"]
    assert service["ports"][0]["targetPort"] in ports
    backend = of_kind("Ingress")[0]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert (backend["name"], backend["port"]["name"]) == ("server", service["ports"][0]["name"])


def test_health_is_asked_where_the_server_answers():
    assert {LIVE, READY} <= {route.path for route in router.routes}
    assert f"http://127.0.0.1:{DEFAULTS.port}{LIVE}" in last("HEALTHCHECK")
    server = next(one for one in containers() if one.name == "server").spec
    assert server["livenessProbe"]["httpGet"]["path"] == server["startupProbe"]["httpGet"]["path"] == LIVE
    assert server["readinessProbe"]["httpGet"]["path"] == READY
    assert services()["worker"]["healthcheck"] == {"disable": True}


def test_probes_use_a_host_name_that_the_server_allows():
    from starlette.datastructures import Headers

    from nas.service.security.hosts import Hosts

    hosts = Hosts(settings("kubernetes, server").allowed_hosts, loopback=False)
    server = next(one for one in containers() if one.name == "server").spec
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        headers = {one["name"].lower(): one["value"] for one in server[probe]["httpGet"]["httpHeaders"]}
        hosts.check(Headers(headers), changes=False)
    for rule in of_kind("Ingress")[0]["spec"]["rules"]:
        hosts.check(Headers({"host": rule["host"]}), changes=True)


def images() -> list[str]:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    return [*bases, *(one["image"] for one in services().values()), *(one.spec["image"] for one in containers())]


def test_images_have_a_version_and_no_registry_of_somebody():
    for image in images():
        name, _, tag = image.partition(":")
        assert re.fullmatch(r"[\w.-]*\d[\w.-]*", tag), image
        assert re.fullmatch(r"[a-z-]+", name), image
        assert name not in OURS or tag == nas.__version__
    assert f"--tag nas-sparse:{nas.__version__} ." in GUIDE.read_text()


def test_the_base_image_is_pinned_and_its_python_is_one_that_the_package_takes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}
    assert bases == {"python:3.11-slim-bookworm"}
    assert project["requires-python"] == ">=3.11"
    extras = re.search(r"^EXTRAS=(\S+)$", next(rest for name, rest in instructions() if name == "ARG"))
    assert extras is not None
    assert extras[1] in project["optional-dependencies"]


def test_no_container_runs_as_root_or_can_become_it():
    user = last("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [name for name, _ in instructions()].index("USER") > [name for name, _ in instructions()].index("RUN")
    for name, one in services().items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"]), name
        assert one["image"].partition(":")[0] not in OURS or one["user"] == user
        assert one["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in one["security_opt"]
    for one in containers():
        rules = one.pod["securityContext"]
        assert rules["runAsNonRoot"] is True
        assert rules["runAsUser"] > 0
        assert rules["seccompProfile"] == {"type": "RuntimeDefault"}
        assert one.spec["image"].partition(":")[0] not in OURS or str(rules["runAsUser"]) == user.partition(":")[0]
        assert one.spec["securityContext"]["allowPrivilegeEscalation"] is False
        assert one.spec["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in one.spec["securityContext"]
    assert "User=nas" in (DEPLOY / "nas.service").read_text().splitlines()


def test_everything_has_limits():
    for name, one in services().items():
        assert set(one["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
    for one in containers():
        assert set(one.spec["resources"]["limits"]) == {"cpu", "memory"}, one.name
    gibibytes = float(services()["worker"]["deploy"]["resources"]["limits"]["memory"].removesuffix("G"))
    assert settings("compose, worker").limits.search_memory < gibibytes * 1e9, "a search meets its own limit first"


def test_the_host_of_the_database_is_a_service():
    for name in ("server", "worker"):
        address = re.sub(r"\$\{.*?\}", "secret", services()[name]["environment"]["NAS_DATABASE"])
        host = urlsplit(address).hostname
        assert host in services()
        assert services()[name]["depends_on"] == {host: {"condition": "service_healthy"}}
        assert urlsplit(address).path.removeprefix("/") == services()[host]["environment"]["POSTGRES_DB"]
        assert urlsplit(address).username == services()[host]["environment"]["POSTGRES_USER"]
    secret = of_kind("Secret")[0]
    host = urlsplit(secret["stringData"]["address"]).hostname
    assert host in {one["metadata"]["name"] for one in of_kind("Service")}
    assert secret["stringData"]["password"] == urlsplit(secret["stringData"]["address"]).password == "CHANGE-ME"


def test_the_database_address_reaches_the_program():
    """The compose file and the manifests give it in the variable that the flag reads."""
    for one in containers():
        if one.name in ("server", "worker"):
            assert [entry["name"] for entry in one.spec["env"]] == ["NAS_DATABASE"]
    text = (ROOT / "nas" / "cli" / "service_flags.py").read_text()
    assert 'os.environ.get("NAS_DATABASE")' in text


def test_names_in_the_manifests_refer_to_something():
    secret = of_kind("Secret")[0]
    claims = {one["metadata"]["name"] for one in of_kind("PersistentVolumeClaim")}
    for one in below(documents()):
        if isinstance(one, dict) and "secretKeyRef" in one:
            assert one["secretKeyRef"]["name"] == secret["metadata"]["name"]
            assert one["secretKeyRef"]["key"] in secret["stringData"]
        if isinstance(one, dict) and "persistentVolumeClaim" in one:
            assert one["persistentVolumeClaim"]["claimName"] in claims
    for one in containers():
        volumes = {volume["name"] for volume in one.pod.get("volumes", [])} | {"database"}
        assert {mount["name"] for mount in one.spec.get("volumeMounts", [])} <= volumes
    for one in [*of_kind("Deployment"), *of_kind("StatefulSet")]:
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"] == labels
        assert labels["app.kubernetes.io/component"] == one["metadata"]["name"]
    for one in of_kind("Service"):
        assert one["spec"]["selector"]["app.kubernetes.io/component"] == one["metadata"]["name"]
    assert of_kind("PersistentVolumeClaim")[0]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_data_folder_is_the_shared_volume():
    for where in ("compose", "kubernetes"):
        assert str(settings(f"{where}, server").data) == "/data"
    assert all("data:/data" in services()[name]["volumes"] for name in ("server", "worker"))
    for one in containers():
        if one.name in ("server", "worker"):
            assert {"name": "data", "mountPath": "/data"} in one.spec["volumeMounts"]
    assert set(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["volumes"]) == {"data", "database"}


def test_the_kustomization_lists_all_manifests_but_the_examples():
    listed = set(of_kind("Kustomization")[0]["resources"])
    assert listed == {one.name for one in MANIFESTS if "example" not in one.name} - {"kustomization.yaml"}
    namespace = of_kind("Namespace")[0]["metadata"]["name"]
    inside = [one for one in documents() if one["kind"] not in ("Namespace", "Kustomization")]
    assert {one["metadata"]["namespace"] for one in inside} == {namespace}


def test_the_image_for_ray_has_the_version_that_the_job_states():
    version = of_kind("RayJob")[0]["spec"]["rayClusterSpec"]["rayVersion"]
    for path in (DEPLOY / "Dockerfile", GUIDE):
        assert set(re.findall(r"ray\[default\]==([\d.]+)", path.read_text())) == {version}


def test_the_dockerfile_copies_what_there_is_and_what_is_not_ignored():
    sources = [
        word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) == kept
    assert all((ROOT / one).exists() for one in sources)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {one.removesuffix("*") for one in packages} <= kept


def test_the_dockerfile_keeps_to_good_practice():
    """The rules of hadolint that matter here: exec form, absolute folders, pinned packages, no sudo, no ADD."""
    for name, rest in instructions():
        assert name not in ("ADD", "MAINTAINER")
        if name in ("CMD", "ENTRYPOINT"):
            assert isinstance(json.loads(rest), list)
        if name == "WORKDIR":
            assert rest.startswith("/")
        if name == "RUN":
            assert "sudo" not in rest
            assert "pip install" not in rest or "--constraint constraints.txt" in rest
            assert "apt-get" not in rest
    assert [name for name, _ in instructions()].count("CMD") == 1


@pytest.mark.parametrize("path", [*FILES, GUIDE], ids=lambda path: path.name)
def test_no_paths_of_a_machine_and_no_secrets(path):
    text = path.read_text()
    assert not re.search(r"/(work|root|home|Users|mnt|tmp/\w)\b", text)
    assert not re.search(r"nas_[A-Za-z0-9-]{20,}", text), "a token"
    assert ":latest" not in text


def test_the_guide_names_files_that_there_are():
    text = GUIDE.read_text()
    named = set(re.findall(r"deploy/[\w./-]*\w", text)) - {"deploy/.env"}
    assert {one for one in named if not (ROOT / one).exists()} == set()
    assert {"deploy/compose.yaml", "deploy/nas.service", "deploy/Dockerfile", "deploy/kubernetes"} <= named


def test_the_guide_backs_up_the_database_that_the_server_uses():
    assert f"/var/lib/nas/{Path(urlsplit(settings('nas.service').database_url).path).name}" in GUIDE.read_text()


def test_make_serve_listens_on_loopback_and_writes_below_runs():
    made = settings("Makefile")
    assert made.loopback
    assert made.port == DEFAULTS.port
    assert made.data.parent == Path("runs").absolute()
    assert f"http://127.0.0.1:{made.port}/" in (ROOT / "README.md").read_text()
