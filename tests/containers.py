"""Docker without Docker: replay a Dockerfile in folders, and run what it describes.

A container is a mount and PID namespace of its own, in which this machine plays the base image:
read-only, its Python at `/usr/local`, the image's folder at `/srv`. That needs root.
"""

import copy
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import extract_key_values

WORKDIR = "/srv"
PYTHON = "/usr/local"  # where the official image has it
BASE = {
    "PATH": f"{PYTHON}/bin:/usr/bin:/bin",
    "LD_LIBRARY_PATH": f"{PYTHON}/lib",  # this machine's Python may look in a closed folder
}

# Mounts each file or folder at a place, `ro` or `rw`, up to `--`; then runs the rest
ENTER = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "${2%/*}"; touch "$2"; fi
    mount --bind "$1" "$2"
    mount -o "remount,bind,$3" "$2"
    shift 3
done
shift
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,bind,ro /
mount -t proc proc /proc
cd /srv
exec "$@"
"""


@dataclass
class Image:
    """What a stage of a Dockerfile amounts to."""

    folder: Path
    env: dict[str, str] = field(default_factory=BASE.copy)
    args: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def child(self, folder: Path) -> "Image":
        """Begin a stage on this one, in a copy of its files."""
        subprocess.run(["cp", "--archive", self.folder, folder], check=True)
        found = copy.deepcopy(self)
        found.folder, found.args = folder, {}
        return found


def instructions(project: Path) -> list[tuple[str, str]]:
    """Read a project's Dockerfile: each instruction with its value in one line."""
    parser = DockerfileParser(str(project / "Dockerfile"))
    pairs = [(one["instruction"], one["value"]) for one in parser.structure]
    return [(name, value) for name, value in pairs if name != "COMMENT"]


def build(project: Path, folder: Path) -> dict[str, Image]:
    """Replay a project's Dockerfile.

    Args:
        project: Where the Dockerfile and what it copies are.
        folder: A new folder for the files of the stages.

    Returns:
        The stages, by name, which are written to `folder` too.
    """
    stages: dict[str, Image] = {}
    folder.mkdir(exist_ok=True)
    context = build_context(project, folder)
    image = Image(folder)
    for name, value in instructions(project):
        if name == "FROM":
            base, stage = value.split(" AS ")
            if base in stages:
                image = stages[base].child(folder / stage)
            else:
                image = Image(folder / stage)
                image.folder.mkdir()
            stages[stage] = image
        else:
            apply(image, name, value, context, stages)
    (folder / "images").write_bytes(pickle.dumps(stages))
    return stages


def build_context(project: Path, folder: Path) -> Path:
    """Copy what an engine would get of a project into a folder, and give that."""
    context = folder / "context"
    rules = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    for name in exclude_paths(str(project), rules, dockerfile="Dockerfile"):
        if (project / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, context / name)
    return context


def apply(image: Image, name: str, value: str, context: Path, stages: Mapping[str, Image]) -> None:
    """Carry out one instruction other than FROM.

    Raises:
        AssertionError: A command failed, or the instruction is not known here.
    """
    match name:
        case "WORKDIR":
            assert value == WORKDIR
        case "ARG":
            if value in os.environ:
                image.args[value] = os.environ[value]
        case "ENV":
            pairs = extract_key_values(False, {}, {}, value)
            image.env |= {key: Template(text).substitute(image.env) for key, text in pairs}
        case "COPY":
            *sources, target = value.split()
            origin = context
            if sources[0].startswith("--from="):
                origin = stages[sources.pop(0).removeprefix("--from=")].folder
            for source in sources:
                copy_in(origin / source.removeprefix(f"{WORKDIR}/"), image.folder / target)
        case "RUN":
            # what leads to a package index from this machine, and is the engine's business elsewhere
            way_out = re.compile(r"PIP_.*|.*CERT.*|REQUESTS_CA_BUNDLE|.*_PROXY", re.IGNORECASE)
            outside = {key: text for key, text in os.environ.items() if way_out.fullmatch(key)}
            env = outside | image.args | image.env | {"HOME": "/tmp"}
            mounts = [(image.folder, WORKDIR, "rw")]
            done = subprocess.run(
                enter(["sh", "-c", value], env, mounts), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"RUN {value}\n{done.stdout}{done.stderr}"
        case "VOLUME":
            image.volumes.append(value)
        case "USER":
            image.user = value
        case "HEALTHCHECK":
            image.healthcheck = json.loads(value.partition(" CMD ")[2])
        case "CMD":
            image.command = json.loads(value)
        case "EXPOSE" | "LABEL":
            pass
        case _:
            raise AssertionError(f"{name} is not known to {__file__}")


def copy_in(source: Path, target: Path) -> None:
    """Copy a file into a folder, or a folder's content."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def enter(
    command: Sequence[str],
    env: Mapping[str, str],
    mounts: Sequence[tuple[Path, str, str]],
    user: str = "0:0",
) -> list[str]:
    """Write the command that runs another one in a container.

    Args:
        command: What to run, with nothing else in its environment than `env`.
        env: Its environment.
        mounts: A file or folder, where to mount it, and `ro` or `rw`.
        user: Numeric user and group.
    """
    uid, gid = user.split(":")
    dropped = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
    if uid != "0":
        dropped += ["--bounding-set=-all", "--inh-caps=-all"]
    variables = [f"{key}={value}" for key, value in env.items()]
    places = [*mounts, (Path(sys.base_prefix), PYTHON, "ro")]
    prepared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", ENTER, "sh"]
    prepared += [str(part) for place in places for part in place]
    return [*prepared, "--", *dropped, "env", "-i", *variables, *command]


@dataclass
class Service:
    """A service of a compose.yaml, on an image."""

    image: Image
    definition: dict[str, Any]
    project: Path
    volumes: Path
    hosts: Path

    def started(
        self, command: Sequence[str] | None = None, **environment: str
    ) -> "subprocess.Popen[str]":
        """Start the image's command, or another one, as compose.yaml says.

        Args:
            command: Instead of the image's own.
            environment: More variables.
        """
        assert self.definition["read_only"]
        assert self.definition["tmpfs"] == ["/tmp"]
        mounts = [(self.image.folder, WORKDIR, "ro"), (self.hosts, "/etc/hosts", "ro")]
        for volume in self.definition.get("volumes", []):
            name, place = volume.split(":")
            assert place in self.image.volumes
            kept = self.volumes / name
            if not kept.exists():  # a new volume begins as what the image has there
                source = self.image.folder / Path(place).relative_to(WORKDIR)
                subprocess.run(["cp", "--archive", source, kept], check=True)
            mounts.append((kept, place, "rw"))
        for name in self.definition.get("secrets", []):
            mounts.append((self.project / ".secrets" / name, f"/run/secrets/{name}", "ro"))
        env = self.image.env | self.definition.get("environment", {}) | environment
        return subprocess.Popen(
            enter(command or self.image.command, env, mounts, self.image.user),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: Sequence[str] | None = None, **environment: str) -> tuple[int, str]:
        """Run a command to its end, and give its status and what it printed."""
        process = self.started(command, **environment)
        said, _ = process.communicate()
        return process.returncode, said
