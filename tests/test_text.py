"""Any text as a name, a description or an author: files that say the same, or one sentence."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter.prompt import render_variable
from cookiecutter.utils import create_env_with_context
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt

from scripts.new import BRACE
from scripts.transcript import converse
from tests.conftest import ROOT, Bake, run
from tests.test_answers import DEFAULTS, load, new

TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
TEXTS = ["project_name", "description", "author_name"]
HOSTILE = [
    """He said "it's" \\ `$HOME` ${HOME} %(here)s %s {} {0}""",
    "{{ cookiecutter.project_name }} {{ '{' }} {% raw %} {# no #} }} %} {{{",
    "''' \"\"\" 'single' \"one double",
    "<script>alert('&amp; &#35;')</script> <!-- & co --> ]]>",
    "🚀 👩\u200d👩\u200d👧 שלום \u202e\u05e2\u05d5\u05dc\u05dd\u202c e\u0301 z͓͑ͫ — \u2019\u2019 \\u0041 \\n \\",
    "*a* _b_ `c` ~~d~~ $e$ [f](g) ![h](i) <http://j> # k #",
    "1. --- | = > + #",
    "0.0.0.0",
    "/tmp/x",
    'Doe, Jane <jane@example.org>; "The" Boss',
    "x" * 300,
]
FRAGMENTS = [
    *("{", "}", "%", "#", "{{", "}}", "{%", "%}", "'", '"', '"""', "\\", "$", "`", "*", "_", "~"),
    *("<", ">", "&", ";", "&lt;", "[", "]", "(", ")", "](", "!", "|", "-", "+", "=", ".", "1", ","),
    *("raw", "a", "B", " ", "\u0301", "\u05e9", "\u202e", "\u200b", "\ufeff", "🚀", "\t", "\n"),
]
texts = st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


@cache
def environment() -> Environment:
    """Make Jinja's environment as Cookiecutter does, for the template's files."""
    variables = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    made: Environment = create_env_with_context({"cookiecutter": variables})
    made.loader = FileSystemLoader([TEMPLATE, ROOT / "templates"])
    return made


def render(name: str, answers: dict[str, Any]) -> str:
    """Render a file of the template."""
    return environment().get_template(name).render(cookiecutter=answers)


def read_markdown(text: str) -> list[str]:
    """Give the plain text of the title and of what follows, as a reader sees them."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    assert [token.type for token in tokens[:6]] == [
        *("heading_open", "inline", "heading_close"),
        *("paragraph_open", "inline", "paragraph_close"),
    ]
    inlines = [tokens[1].children or [], tokens[4].children or []]
    assert {child.type for children in inlines for child in children} <= {"text", "text_special"}
    return ["".join(child.content for child in children) for children in inlines]


def constants(source: str, name: str) -> Iterator[object]:
    """Find what a module gives to a name, as a variable or as an argument."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            assert node.value
            yield ast.literal_eval(node.value)
        if isinstance(node, ast.keyword) and node.arg == name:
            yield ast.literal_eval(node.value)


def compare(project_name: str, description: str, author: str, files: dict[str, str]) -> None:
    """Parse each file that an answer goes into, and compare."""
    toml = tomllib.loads(files["pyproject.toml"])["project"]
    assert toml["description"] == description
    assert toml["authors"] == ([{"name": author}] if author else [])
    assert [*constants(files["app/core/config.py"], "PROJECT_NAME")] == [project_name]
    assert description in constants(files["app/main.py"], "description")
    if description:
        assert read_markdown(files["README.md"]) == [project_name, description]
    holder = author or f"the authors of {project_name}"
    assert f"Copyright (c) {holder}\n" in files["LICENSE"]


FILES = {
    "LICENSE": "{% if cookiecutter.license == 'MIT' %}LICENSE{% endif %}",
    **{name: name for name in ("README.md", "app/core/config.py", "app/main.py", "pyproject.toml")},
}


@settings(max_examples=200, deadline=None)
@given(name=texts, description=texts, author=texts)
def test_any_text_is_carried_or_refused(name: str, description: str, author: str) -> None:
    own = {"project_name": name, "description": description, "author_name": author}
    sentence = load("pre_gen_project").problem(DEFAULTS | own, {})
    if sentence:
        assert "\n" not in sentence
        assert any(sentence.startswith(f"{key} {value!r} ") for key, value in own.items())
        assert sentence.endswith(".")
        return
    answers = DEFAULTS | own
    compare(name, description, author, {key: render(FILES[key], answers) for key in FILES})


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_carried(text: str) -> None:
    answers = DEFAULTS | dict.fromkeys(TEXTS, text)
    assert load("pre_gen_project").problem(answers, {}) is None
    compare(text, text, text, {key: render(FILES[key], answers) for key in FILES})


STARTS = [
    "#",
    "##",
    ">",
    "+",
    "-",
    "---",
    "=",
    "*",
    "_",
    "~~~",
    "```",
    "<div",
    "<!--",
    "[a]:",
    "1.",
]


@pytest.mark.parametrize("start", [*STARTS, "12)", "|", "!", "\\", "&", "\\-"])
def test_markdown_that_begins_as_something_else_is_text(start: str) -> None:
    for text in (start, f"{start} x", f"{start}x {start}"):
        answers = DEFAULTS | dict.fromkeys(TEXTS, text)
        assert read_markdown(render("README.md", answers)) == [text, text]


@settings(max_examples=200, deadline=None)
@given(text=texts)
@example(text="{{ '{' }}")
@example(text="{{{%{#{")
def test_make_new_writes_what_cookiecutter_renders_to_the_answer(text: str) -> None:
    given = text.replace("{", BRACE)
    answers = DEFAULTS | {"description": text}
    sentence = load("pre_gen_project").problem(answers, {"description": given})
    assert sentence == load("pre_gen_project").problem(answers, {})
    if sentence is None:
        assert render_variable(environment(), given, {}) == text


@settings(max_examples=200, deadline=None)
@given(slug=texts | st.from_regex("[a-zA-Z0-9._-]{1,70}", fullmatch=True))
def test_any_slug_is_a_good_one_or_refused(slug: str) -> None:
    sentence = load("pre_gen_project").problem(DEFAULTS | {"project_slug": slug}, {})
    if sentence is None:
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", slug)
    else:
        assert sentence.startswith(f"project_slug {slug!r} ")
        assert "\n" not in sentence


def test_generated_code_with_any_text_is_clean(bake: Bake, tmp_path: Path) -> None:
    pyproject = (bake() / "pyproject.toml").read_text(encoding="utf-8")
    lengths = [char * length for char in "x\u5546\\" for length in range(30, 110)]
    for number, text in enumerate(
        [*HOSTILE, *filter(str.strip, FRAGMENTS), "a\u00a0b", "It\u2019s", *lengths]
    ):
        if load("pre_gen_project").problem(DEFAULTS | {"description": text}, {}):
            continue
        project = tmp_path / str(number)
        (project / "app" / "core").mkdir(parents=True)
        (project / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        for name in ("app/main.py", "app/core/config.py"):
            code = render(name, DEFAULTS | dict.fromkeys(TEXTS, text))
            (project / name).write_text(code, encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    run(ruff, "check", "--no-cache", "--ignore=I001", ".", cwd=tmp_path)
    run(ruff, "format", "--no-cache", "--check", ".", cwd=tmp_path)


def read(project: Path) -> dict[str, str]:
    """Read the files that answers go into."""
    return {name: (project / name).read_text(encoding="utf-8") for name in FILES}


@pytest.mark.parametrize("text", HOSTILE[:2], ids=range(2))
def test_make_new_carries(tmp_path: Path, text: str) -> None:
    answers = [f"{key}={text}" for key in TEXTS]
    said = new(tmp_path, *answers, "project_slug=my-shop", status=0)
    compare(text, text, text, read(tmp_path / "my-shop"))
    assert f"{text} is in " in said

    again = said.rstrip().splitlines()[-1].strip()
    (tmp_path / "again").mkdir()
    cookiecutter = Path(sys.executable).with_name("cookiecutter")
    run("sh", "-c", again.replace("cookiecutter", f"{cookiecutter} --default-config", 1),
        cwd=tmp_path / "again")  # fmt: skip
    assert read(tmp_path / "again" / "my-shop") == read(tmp_path / "my-shop")


def test_the_prompts_carry(tmp_path: Path) -> None:
    text = HOSTILE[1]
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "new.py", "--default-config"]
    command += ["install=no", f"author_name={text}", "-o", tmp_path]
    status, said = converse(command, [text, "my-shop", text, *[""] * 20], cwd=tmp_path)
    assert status == 0, said
    compare(text, text, text, read(tmp_path / "my-shop"))


def test_a_replay_carries(tmp_path: Path) -> None:
    text = HOSTILE[1]
    answers = DEFAULTS | dict.fromkeys(TEXTS, text) | {"project_slug": "my-shop", "install": False}
    replay = tmp_path / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": answers}))
    new(tmp_path, "--replay-file", str(replay), status=0, no_input=False)
    compare(text, text, text, read(tmp_path / "my-shop"))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("{{ 7 * 7 }}", "description '{{ 7 * 7 }}' is a template to Cookiecutter, which made '49'"),
        ("a{# b #}", "description 'a{# b #}' is a template to Cookiecutter, which made 'a'"),
        ("{{ 7", "An answer of your configuration file is no template that Jinja reads"),
    ],
)
def test_a_template_in_a_configuration_file_is_refused(
    tmp_path: Path, answer: str, sentence: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"default_context": {"description": answer}}))
    (tmp_path / "projects").mkdir()
    said = new(tmp_path / "projects", "--config-file", str(config), status=1, config=True)
    assert said.startswith(sentence)
    assert "Traceback" not in said
    assert not list((tmp_path / "projects").iterdir())


def test_plain_cookiecutter_changes_no_answer_unseen(tmp_path: Path) -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("cookiecutter"), ROOT]
    command += ["--no-input", "--default-config", "install=no", "-o", tmp_path]
    said = run(*command, "author_name={{ 7 * 7 }}", cwd=tmp_path, status=1).stdout
    assert said.startswith("author_name '{{ 7 * 7 }}' is a template to Cookiecutter")
    assert not list(tmp_path.iterdir())
    run(*command, "author_name={{ '{' }}{{ '{' }} 7 }}", cwd=tmp_path)
    toml = (tmp_path / "my-service" / "pyproject.toml").read_text()
    assert tomllib.loads(toml)["project"]["authors"] == [{"name": "{{ 7 }}"}]


class Text(HTMLParser):
    """Collects what a reader sees of a page."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.seen: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.seen.append(data)


SERVE = """
import json, sys
from email import message_from_bytes, policy
from app.core import email
from app.main import create_app
from app.core.config import settings

def mail(name):
    email.settings = settings.model_copy(update={"PROJECT_NAME": name})
    sent = message_from_bytes(bytes(email.test_mail("ada@example.org")), policy=policy.default)
    text, page = sent.iter_parts()
    headers = [str(sent["Subject"]), sent["From"].addresses[0].display_name]
    raw = [header.encode(errors="surrogateescape").decode() for header in headers]
    return [*raw, text.get_content(), page.get_content()]

info = create_app().openapi()["info"]
print(json.dumps([info["title"], info["description"], settings.PROJECT_NAME,
                  [mail(name) for name in json.loads(sys.argv[1])]]))
"""


def test_openapi_and_mails_say_the_name(installed: Bake) -> None:
    text = HOSTILE[0]
    project = installed(project_name=text, project_slug="shop", description=text, auth=True)
    python = project / ".venv" / "bin" / "python"
    said = run(
        python, "-c", SERVE, json.dumps(HOSTILE), cwd=project, DATABASE_URL="sqlite:///app.db"
    )
    *own, mails = json.loads(said.stdout.splitlines()[-1])
    assert own == [text, text, text]
    for name, (subject, sender, plain, page) in zip(HOSTILE, mails, strict=True):
        assert subject == f"{name}: Test mail"
        assert sender == name
        assert f"This is a test from {name}." in plain
        html = Text(page)
        assert html.seen.count(name) == 2
        assert f"Open {name}" in html.seen
        assert "script" not in html.tags
