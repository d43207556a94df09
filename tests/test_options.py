"""docs/options.md describes each question and each choice, and what the choices add."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ANSWERS, ROOT, Bake, choices
from tests.test_answers import plain

TEXT = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL))


def described(key: str) -> dict[str, str]:
    """Give what is said of each choice of an answer."""
    parts = re.findall(r"^- `([\w.-]+)`: (.*?)(?=^- |\Z)", SECTIONS[key], re.MULTILINE | re.DOTALL)
    return dict(parts)


def offered(key: str) -> dict[str, object]:
    """Give what may be answered, by the word for it."""
    words = {True: "yes", False: "no"}
    return {words.get(choice, choice): choice for choice in choices(key)}


def test_each_question_and_each_choice_is_described() -> None:
    assert [*SECTIONS] == [*ANSWERS]
    assert {key: {*described(key)} for key in ANSWERS} == {key: {*offered(key)} for key in ANSWERS}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/options.md)" in readme
    table = re.findall(r"^\| (`.*?`) \|", readme.partition("## The questions")[2], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(table)) == [*ANSWERS]


def needs(project: Path) -> set[str]:
    """Read what a project depends on; an extra is a dependency of its own."""
    toml = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*toml["project"]["dependencies"], *toml["dependency-groups"]["dev"]]
    return {re.split("[<>=]", name)[0] for name in wanted}


def files(project: Path) -> set[str]:
    """List a project's files, except for tests and revisions."""
    names = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(("tests/", "migrations/versions/"))}


def listed(text: str, what: str) -> set[str]:
    """Read a list of a choice."""
    found = re.search(rf"- {what}: (.*?)\.\n", text, re.DOTALL)
    return {*re.findall("`(.+?)`", found[1])} if found else set()


@pytest.mark.parametrize("key", [k for k in ANSWERS if choices(k) and k != "install"])
def test_what_a_choice_adds(bake: Bake, key: str) -> None:
    projects = {word: bake(**{key: choice}) for word, choice in offered(key).items()}
    for word, text in described(key).items():
        others = [other for name, other in projects.items() if name != word]
        added = needs(projects[word]).difference(*map(needs, others))
        names = {re.sub(r"\[.*", "", name) for name in added}
        assert listed(text, "Dependencies") == plain(names), word
        new = files(projects[word]).difference(*map(files, others))
        assert {re.sub("^(app/services|app/templates)/.*", r"\1", name) for name in new} == listed(
            text, "Files"
        ), word
