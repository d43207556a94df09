"""The containers: linted, parsed, and their steps carried out, though no engine runs here."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from tests.conftest import ROOT, Bake, run
from tests.containers import build, build_context, instructions
from tests.test_bake import HOSTILE

TOOLS = Path(sys.executable).parent
GLIBC = 41  # Debian trixie has 2.41

every_kind = pytest.mark.parametrize(
    ("database", "auth"),
    [(database, auth) for database in ("sqlite", "postgresql") for auth in (True, False)],
)


def compose_of(project: Path) -> dict[str, Any]:
    """Read a project's compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))
    return found


def stages_of(project: Path) -> dict[str, list[tuple[str, str]]]:
    """Read the instructions of each stage of a Dockerfile, `FROM` first."""
    stages: dict[str, list[tuple[str, str]]] = {}
    for name, value in instructions(project):
        if name == "FROM":
            stages[value.rpartition(" ")[2]] = own = []
        own.append((name, value))
    return stages


@every_kind
def test_linters_find_nothing(bake: Bake, database: str, auth: bool) -> None:
    project = bake(database=database, auth=auth)
    run(TOOLS / "hadolint", "Dockerfile", cwd=project)
    schema = ("--builtin-schema", "vendor.compose-spec")
    run(TOOLS / "check-jsonschema", *schema, "compose.yaml", cwd=project)


@every_kind
def test_compose_reads_its_file(bake: Bake, database: str, auth: bool) -> None:
    project = bake(database=database, auth=auth)
    client = ["docker", "compose"]
    if not shutil.which("docker") or run(*client, "version", cwd=project, status=None).returncode:
        if not shutil.which("docker-compose") and not os.environ.get("CI"):
            pytest.skip("no Docker Compose here: install docker-compose")
        client = ["docker-compose"]
    said = run(*client, "config", cwd=project, PIP_INDEX_URL="https://mirror.example/simple").stdout
    services = yaml.safe_load(said)["services"]
    assert services.keys() == compose_of(project)["services"].keys()
    arguments = services["app"]["build"]["args"]
    assert arguments == {"PIP_INDEX_URL": "https://mirror.example/simple"}


@every_kind
def test_compose_closes_what_it_can(bake: Bake, database: str, auth: bool) -> None:
    project = bake(database=database, auth=auth)
    compose = compose_of(project)
    services = compose["services"]
    asked = ["database"] * (database == "postgresql") + ["mail"] * auth
    assert services.keys() == {"app", "migrate", *asked}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not re.search(
            "PASSWORD(?!_FILE)|SECRET|URL", " ".join(service.get("environment", {}))
        )
        assert service.get("image", "a:1").count(":") == 1
    assert all(services[name].get("user") for name in services.keys() - {"app", "migrate"})
    assert services["app"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"}
    }
    given = {secret for service in services.values() for secret in service.get("secrets", [])}
    assert given == compose.get("secrets", {}).keys()
    assert "first_superuser_password" not in services["app"].get("secrets", [])


@every_kind
def test_dockerfile_keeps_its_layers_apart(bake: Bake, database: str, auth: bool) -> None:
    stages = stages_of(bake(database=database, auth=auth))
    assert [*stages] == ["base", "build", "project", "migrate", "app"]
    poetry = [name for name, lines in stages.items() if re.search("poetry|pip ", str(lines))]
    assert poetry == ["build"]
    copied = [value for name, value in stages["build"] if name == "COPY"]
    assert copied == ["pyproject.toml poetry.lock poetry.toml ./"]
    assert [value for name, value in stages["project"] if name == "COPY"] == [
        "--from=build /srv/.venv .venv",
        "alembic.ini .",
        "migrations migrations",
        "app app",
    ]
    assert stages["project"][-1] == ("USER", "10001:10001")
    for name in ("migrate", "app"):
        assert stages[name][0] == ("FROM", f"project AS {name}")
        assert not {"USER", "RUN", "COPY", "ENV"} & {one for one, _ in stages[name]}
    assert "alembic" not in str(stages["app"])


@every_kind
def test_each_locked_package_has_a_wheel_for_the_image(
    bake: Bake, database: str, auth: bool
) -> None:
    project = bake(database=database, auth=auth)
    [(_, base)] = [line for line in stages_of(project)["base"] if line[0] == "FROM"]
    found = re.fullmatch(r"python:3\.(\d+)-slim-trixie AS base", base)
    assert found, base
    version = (3, int(found[1]))
    lock = tomllib.loads((project / "poetry.lock").read_text(encoding="utf-8"))
    packages = [package for package in lock["package"] if "main" in package["groups"]]
    assert packages
    for machine in ("x86_64", "aarch64"):
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(5, GLIBC + 1)]
        platforms += [f"manylinux2014_{machine}"]
        fitting = {*cpython_tags(version, platforms=platforms)}
        fitting |= {*compatible_tags(version, f"cp3{version[1]}", platforms)}
        for package in packages:
            files = [one["file"] for one in package["files"] if one["file"].endswith(".whl")]
            tags = {tag for name in files for tag in parse_wheel_filename(name)[3]}
            assert tags & fitting, f"{package['name']} on Python {version}, {machine}"


def test_nothing_private_gets_into_the_build(bake: Bake, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(bake(), project)
    private = [
        *(".env", ".secrets/secret_key", ".git/config", "app.db", "app/.env", "id_rsa"),
        *("app/__pycache__/main.cpython-314.pyc", ".venv/bin/python", "tests/.env"),
    ]
    for name in private:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("private")
    context = build_context(project, tmp_path)
    names = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert not names & {*private}
    wanted = {"alembic.ini", "poetry.lock", "poetry.toml", "pyproject.toml"}
    for folder in ("app", "migrations"):
        wanted |= {
            str(p.relative_to(project)) for p in (project / folder).rglob("*") if p.is_file()
        }
    # an engine takes these two for itself; no instruction copies them
    assert names - {".dockerignore", "Dockerfile"} == wanted - {*private}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_labels_are_the_answers(bake: Bake, text: str) -> None:
    project = bake(project_name=text, project_slug="my-shop", description=text)
    [label] = [value for name, value in instructions(project) if name == "LABEL"]
    # as an engine reads it: in double quotes a backslash escapes itself, quotes and dollars
    pairs = re.findall(r'org\.opencontainers\.image\.(\w+)="((?:[^"\\$]|\\.)*)"(?: +|$)', label)
    labels = {key: re.sub(r'\\(["\\$])', r"\1", value) for key, value in pairs}
    assert labels == {"title": text, "description": text, "licenses": "MIT"}


@every_kind
def test_make_up_makes_each_secret_once(
    bake: Bake, database: str, auth: bool, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(bake(database=database, auth=auth), project)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "docker $*"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"

    def secrets() -> dict[str, str]:
        return {str(p.relative_to(project)): p.read_text() for p in project.glob(".secrets/*")}

    said = run("make", "up", cwd=project, PATH=path).stdout
    assert said == "docker compose up --build --detach --wait\n"
    made = secrets()
    named = [secret["file"] for secret in compose_of(project).get("secrets", {}).values()]
    assert sorted(made) == sorted(named)
    assert all(len(value) > 32 for value in made.values())
    for name in made:
        assert (project / name).stat().st_mode & 0o777 == 0o644
        run("git", "init", "--quiet", cwd=project)
        run("git", "check-ignore", name, cwd=project)
    if made:
        assert (project / ".secrets").stat().st_mode & 0o777 == 0o700
    run("make", "up", cwd=project, PATH=path)
    assert secrets() == made
    assert run("make", "down", cwd=project, PATH=path).stdout == "docker compose down\n"


@pytest.mark.slow
@pytest.mark.parametrize(("database", "auth"), [("sqlite", False), ("postgresql", True)])
def test_the_containers_live(bake: Bake, database: str, auth: bool, tmp_path: Path) -> None:
    namespaces = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if namespaces.returncode and not os.environ.get("CI"):
        pytest.skip(f"no namespaces here, run as root: {namespaces.stderr}")
    project = tmp_path / "project"
    shutil.copytree(bake(database=database, auth=auth), project)
    images = build(project, tmp_path / "images")
    site_packages = next(images["app"].folder.glob(".venv/lib/python3.*/site-packages"))
    installed = {path.name.partition("-")[0].lower() for path in site_packages.glob("*.dist-info")}
    assert {"fastapi", "uvicorn"} <= installed
    assert not {"pip", "poetry", "pytest", "ruff"} & installed
    for source in [*site_packages.rglob("fastapi/*.py"), *images["app"].folder.rglob("app/*.py")]:
        assert [*source.parent.glob(f"__pycache__/{source.stem}.*.pyc")], source
    # in a PID namespace too: when the scenario ends, however it does, nothing is left running
    alone = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    scenario = (sys.executable, "-m", "tests.containers_scenario")
    run(*alone, *scenario, project, tmp_path / "images", cwd=ROOT)
