"""The pipelines are well-formed and safe, and each step does what it says, run as by a runner."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.conftest import (
    Bake,
    every_combination,
    every_database,
    give_environment,
    own_environment,
    own_poetry,
    run,
)
from tests.test_migrations import HERO, alembic
from tests.test_revisions import write_revision

BIN = Path(sys.executable).parent
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "a@b.co" for who in ("AUTHOR", "COMMITTER")},
}
FILES = {"github": ".github/workflows/ci.yaml", "gitlab": ".gitlab-ci.yml"}
SCHEMAS = {
    ".github/workflows/ci.yaml": "vendor.github-workflows",
    ".github/dependabot.yml": "vendor.dependabot",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
every_pipeline = pytest.mark.parametrize("ci", FILES)


def pipeline(project: Path, ci: str) -> dict[str, Any]:
    """Read a project's pipeline."""
    content: dict[str, Any] = yaml.safe_load((project / FILES[ci]).read_text(encoding="utf-8"))
    return content


def scripts(project: Path, ci: str) -> dict[str, dict[str, str]]:
    """List what the shell runs, by job and step; GitLab knows no steps in a job."""
    content = pipeline(project, ci)
    if ci == "github":
        return {
            name: {step["name"]: step["run"] for step in job["steps"] if "run" in step}
            for name, job in content["jobs"].items()
        }
    jobs = {name: job for name, job in content.items() if name not in {"workflow", "default"}}
    return {name: {name: "\n".join(job["script"])} for name, job in jobs.items()}


def variables(project: Path, ci: str) -> dict[str, str]:
    """Read what the job that checks has in its environment."""
    content = pipeline(project, ci)
    job = content["jobs"]["check"] if ci == "github" else content["check"]
    found: dict[str, str] = job.get("env", {}) | job.get("variables", {})
    return found


def step(
    project: Path, script: str, environment: dict[str, str] | None = None, status: int = 0
) -> str:
    """Run a step as GitHub's and GitLab's runners do, with this machine's Poetry on the PATH."""
    path = os.pathsep.join([str(own_poetry().parent), os.environ["PATH"]])
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return run(*command, cwd=project, status=status, PATH=path, **environment or {}).stdout


def git(project: Path, *arguments: str | Path) -> str:
    """Run git as somebody, whatever this machine's git is set up for."""
    return run("git", *arguments, cwd=project, status=0, **GIT).stdout.strip()


def commit(project: Path) -> str:
    """Commit everything, in a new repository unless there is one; give the commit's id."""
    git(project, "init", "--quiet", "--initial-branch=main")
    (project / ".git" / "info" / "exclude").write_text(".venv\n")  # a link, in these tests
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--no-verify", "--message", "Change")
    return git(project, "rev-parse", "HEAD")


@every_combination
def test_no_linter_finds_anything(bake: Bake, answers: dict[str, Any], tmp_path: Path) -> None:
    project = bake(**answers)
    for name in filter(lambda name: (project / name).exists(), SCHEMAS):
        run(BIN / "check-jsonschema", "--builtin-schema", SCHEMAS[name], name, cwd=project)
    if answers["ci"] == "github":
        options = ["--offline", "--no-progress", "--persona=auditor", "--format=json"]
        done = subprocess.run(
            [BIN / "zizmor", *options, "."],
            cwd=project, env=own_environment(), stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        found = [finding["ident"] for finding in json.loads(done.stdout)]
        # the server goes by its tag, see docs/design.md
        assert found == ["unpinned-images"] * (answers["database"] == "postgresql")
    if answers["ci"] != "none":
        for job in scripts(project, answers["ci"]).values():
            for script in job.values():
                (tmp_path / "script").write_text(f"{script}\n")
                run(BIN / "shellcheck", "--shell=bash", tmp_path / "script", cwd=project)
        content = pipeline(project, answers["ci"])
        assert ("build" in content.get("jobs", content)) == answers.get("docker", False)


@every_pipeline
def test_what_a_job_may_do_is_little(bake: Bake, ci: str) -> None:
    content = pipeline(bake(ci=ci, database="postgresql"), ci)
    if ci == "gitlab":
        assert content["default"]["timeout"] == "20 minutes"
        return
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 20
    service = content["jobs"]["check"]["services"]["postgres"]
    assert "pg_isready" in service["options"]


@every_database
def test_both_pipelines_and_the_readme_name_the_same_commands(bake: Bake, database: str) -> None:
    verbs = []
    for ci in FILES:
        project = bake(ci=ci, database=database)
        lines = [
            line
            for name, job in scripts(project, ci).items()
            for script in job.values()
            for line in script.splitlines()
            if name in {"check", "audit"} and line.startswith("make ")
        ]
        verbs.append([line.split()[1] for line in lines])
        readme = (project / "README.md").read_text(encoding="utf-8")
        assert all(f"`make {verb}" in readme for verb in verbs[-1] if verb != "install")
    assert verbs == [["install", "lint", "sql", "check", "test", "audit"]] * 2


@pytest.fixture
def server(database: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Give what a job has in its environment where the pipeline starts a server."""
    if database == "sqlite":
        return {}
    return {"TEST_DATABASE_URL": request.getfixturevalue("postgres")}


@pytest.mark.slow
@every_database
@every_pipeline
def test_each_step_runs_on_a_branch_with_a_new_revision(
    bake: Bake, database: str, ci: str, database_url: str, server: dict[str, str], tmp_path: Path
) -> None:
    origin = bake(database=database, ci=ci)
    first = commit(origin)
    git(origin, "switch", "--quiet", "--create", "feature")
    give_environment(origin)
    (origin / "app" / "models" / "hero.py").write_text(HERO.lstrip())
    alembic(origin, database_url, "upgrade", "head")
    alembic(origin, database_url, "revision", "--autogenerate", "-m", "add heroes")
    commit(origin)
    git(origin, "switch", "--quiet", "main")
    (origin / "NOTES.md").write_text("The target goes on.\n")
    commit(origin)
    depth = []
    environment = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": first}
    if ci == "github":  # merges the branch into its target, and checks out the last two commits
        git(origin, "switch", "--quiet", "--create", "merged")
        git(origin, "merge", "--quiet", "--no-ff", "--message", "Merge", "feature")
        depth = ["--depth=2"]
        environment = {}
    branch = "merged" if ci == "github" else "feature"
    clone = tmp_path / "clone"
    git(origin, "clone", "--quiet", *depth, f"--branch={branch}", f"file://{origin}", clone)
    give_environment(clone)

    assert server.keys() == variables(clone, ci).keys() & {"TEST_DATABASE_URL"}
    environment |= variables(clone, ci) | server
    # tests/test_service.py runs all of them
    environment["PYTEST_ADDOPTS"] = "--cov-fail-under=0 -k 'head or drift or safe or readyz'"
    said = "".join(
        step(clone, script, environment) for script in scripts(clone, ci)["check"].values()
    )
    assert "Success: no issues found" in said
    assert said.count("100%]") == 2
    written = (clone / "migrations.sql").read_text()
    assert "CREATE TABLE hero" in written
    assert "CREATE TABLE item" not in written
    unknown = git(clone, "ls-files", "--others", "--exclude-standard").split()
    assert unknown == [".venv", "migrations.sql"]  # a link, and what the pipeline keeps


SAFE = {"PYTEST_ADDOPTS": "-k safe_for_a_running -rA"}
REQUIRED = 'op.add_column("item", sa.Column("{0}", sa.Integer(), nullable=False))'


@pytest.mark.parametrize("database", ["postgresql"])
@every_pipeline
def test_the_linter_looks_at_new_revisions_only(installed: Bake, database: str, ci: str) -> None:
    project = installed(database=database, ci=ci)
    write_revision(project, "old1", REQUIRED.format("height"))
    base = commit(project)
    new = write_revision(project, "new1", REQUIRED.format("width"))
    commit(project)
    lines = "\n".join(scripts(project, ci)["check"].values()).splitlines()
    check = "\n".join(line for line in lines if line.startswith(("export ", "make check")))
    environment = SAFE | {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    environment |= {k: v for k, v in variables(project, ci).items() if k == "base"}
    said = step(project, check, environment, 2)
    assert "adding-required-field" in said
    assert "[20270101_000002_new1]" in said
    assert "old1]" not in said
    assert "_create_item]" not in said

    new.write_text(new.read_text() + "\n\n# squawk: adding-required-field because it is empty\n")
    git(project, "commit", "--quiet", "--all", "--amend", "--no-edit")
    said = step(project, check, environment)
    assert "[20270101_000002_new1]" in said
    assert "old1]" not in said
    said = step(project, "make check", SAFE, 2)
    assert "FAILED" in said
    assert "[20270101_000001_old1]" in said


@pytest.mark.parametrize("database", ["postgresql"])
def test_a_merged_branch_is_new_to_its_target(installed: Bake, database: str) -> None:
    project = installed(database=database)
    write_revision(project, "left1", "pass")
    commit(project)
    git(project, "switch", "--quiet", "--create", "feature", "HEAD")
    head = project / "migrations" / "HEAD"
    head.write_text("fa22138446a8\n")
    write_revision(project, "right1", REQUIRED.format("width"))
    joined = write_revision(project, "joined1", "pass")
    joined.write_text(joined.read_text().replace('"right1"', '("left1", "right1")'))
    commit(project)
    said = step(project, "make check base=main", SAFE, 2)
    assert "right1]" in said
    assert "left1]" not in said
    assert "ADD COLUMN width INTEGER NOT NULL" in step(project, "make sql base=main")


@every_database
def test_what_git_does_not_know_leaves_every_revision_new(installed: Bake, database: str) -> None:
    project = installed(database=database)
    commit(project)
    for base in ("HEAD^1", "origin/main", "0" * 40):
        said = step(project, f"make sql base={base}")
        assert "fatal: Not a valid" in said
        assert "CREATE TABLE item" in said
    assert "CREATE TABLE item" in step(project, "make sql")
    assert "CREATE TABLE" not in step(project, "make sql base=main")
    (project / "migrations" / "HEAD").unlink()
    commit(project)
    assert "CREATE TABLE item" in step(project, "make sql base=main")


@pytest.mark.parametrize("database", ["sqlite"])
def test_sqlite_shows_what_it_does_to_alter_a_table(installed: Bake, database: str) -> None:
    project = installed(database=database)
    commit(project)
    write_revision(
        project,
        "wide1",
        'with op.batch_alter_table("item") as batch:\n'
        '        batch.alter_column("title", type_=sa.String(99))\n'
        "    op.get_bind().execute(sa.text(\"UPDATE item SET title = 'it''s'\"))",
    )
    written = step(project, "make --silent sql base=main 2>/dev/null")
    statements = [" ".join(one.split()) for one in written.split(";\n")]
    assert statements[0] == "BEGIN IMMEDIATE"
    assert statements[1].startswith("CREATE TABLE _alembic_tmp_item (")
    assert "title VARCHAR(99) NOT NULL" in statements[1]
    assert statements[-4:] == [
        "UPDATE item SET title = 'it''s'",
        "UPDATE alembic_version SET version_num='wide1' "
        "WHERE alembic_version.version_num = 'fa22138446a8'",
        "COMMIT",
        "",
    ]
    assert not list(project.glob("*.db"))


class Advisories(BaseHTTPRequestHandler):
    """The database of vulnerabilities, by OSV's protocol; it knows one, of Alembic."""

    asked: set[str]

    def do_POST(self) -> None:
        """Answer what is known of a package."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["package"]["name"]
        self.asked.add(name)
        package = {"package": {"name": name, "ecosystem": "PyPI"}}
        known = {"vulns": [{"id": "PYSEC-1", "affected": [package]}]} if name == "alembic" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(known).encode())

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def advisories() -> Generator[tuple[str, set[str]]]:
    """Serve a database of vulnerabilities; give its URL, and the packages that it was asked for."""
    handler = type("Handler", (Advisories,), {"asked": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
        server.shutdown()


@every_database
@every_pipeline
def test_the_audit_asks_for_what_the_lock_installs(
    installed: Bake, database: str, ci: str, advisories: tuple[str, set[str]], tmp_path: Path
) -> None:
    url, asked = advisories
    project = installed(database=database, ci=ci)
    [script] = scripts(project, ci)["audit"].values()
    environment = {
        "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
        "PIP_AUDIT_OSV_URL": url,
        "NO_PROXY": "127.0.0.1",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    said = step(project, script, environment, 2)
    assert "Found 1 known vulnerability in 1 package" in said
    assert "PYSEC-1" in said
    lock = tomllib.loads((project / "poetry.lock").read_text(encoding="utf-8"))
    locked = {package["name"] for package in lock["package"]}
    elsewhere = {package["name"] for package in lock["package"] if "markers" in package}
    assert locked - elsewhere <= asked <= locked
    assert {"fastapi", "pytest", "ruff"} <= asked


@pytest.mark.parametrize("database", ["sqlite"])
def test_git_commits_only_what_make_lint_accepts(installed: Bake, database: str) -> None:
    project = installed(database=database)
    commit(project)
    step(project, "poetry run prek validate-config .pre-commit-config.yaml", GIT)
    assert "Installed Git hook" in step(project, "poetry run prek install", GIT)
    bad = project / "app" / "bad.py"
    bad.write_text("import os\n")
    said = step(project, "git add --all && git commit --message Bad", GIT, 1)
    assert "F401" in said
    bad.write_text('"""Good."""\n')
    said = step(project, "git add --all && git commit --message Good", GIT)
    assert "Passed" in said
    assert "Skipped" in said
    toml = project / "pyproject.toml"
    toml.write_text(toml.read_text().replace('"ruff>=0.17,<0.18"', '"ruff>=0.16,<0.18"'))
    said = step(project, "git add --all && git commit --message Unlocked", GIT, 1)
    assert "pyproject.toml changed significantly since poetry.lock was last generated" in said


@pytest.mark.parametrize("database", ["postgresql"])
def test_git_commits_only_revisions_that_make_check_accepts(
    installed: Bake, database: str, server: dict[str, str]
) -> None:
    project = installed(database=database)
    commit(project)
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    step(project, "poetry run prek install", GIT)
    write_revision(project, "new1", REQUIRED.format("width"))
    said = step(project, "git add --all && git commit --message Bad", SAFE | GIT | server, 1)
    assert "adding-required-field" in said
    assert "_new1]" in said
    assert "_create_item]" not in said
