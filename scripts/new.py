"""Generate a project: `cookiecutter` on this repository, with errors of one sentence each.

Takes the arguments of the `cookiecutter` command, without the template.
"""

import json
import logging
import shutil
import sys
from contextlib import suppress
from functools import wraps
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import cookiecutter.cli
import cookiecutter.main
from cookiecutter.cli import main as command
from cookiecutter.exceptions import (
    CookiecutterException,
    FailedHookException,
    UndefinedVariableInTemplate,
)
from cookiecutter.prompt import YesNoPrompt
from jinja2 import TemplateError

ROOT = Path(__file__).resolve().parents[1]
BRACE = "{{ '{' }}"  # how Jinja is told an opening brace
SLUG_LENGTH = 64
YES_OR_NO = {*YesNoPrompt.yes_choices, *YesNoPrompt.no_choices}

make_project = cookiecutter.cli.cookiecutter
generate_files = cookiecutter.main.generate_files
run_command = command.callback


def main(arguments: list[str]) -> None:
    """Run Cookiecutter.

    Args:
        arguments: Options and `key=value` answers of the `cookiecutter` command.

    Raises:
        SystemExit: With one sentence when it fails, else as Cookiecutter does.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.stdin is None:  # it was closed
        sys.stdin = StringIO()
    # A hook that fails has said why; Cookiecutter would add its own traceback
    logging.getLogger("cookiecutter.hooks").disabled = True
    cookiecutter.cli.cookiecutter = briefly
    cookiecutter.main.generate_files = all_or_nothing
    command.callback = politely
    command([str(ROOT), *arguments], prog_name="make new")


@wraps(run_command)
def politely(*, extra_context: dict[str, str] | None, **options: object) -> None:
    """Run the command with answers that Cookiecutter takes, and without a traceback.

    Raises:
        SystemExit: With one sentence.
    """
    offered = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    for key, value in (extra_context or {}).items():
        if problem := refuse(offered, key, value):
            sys.exit(problem)
    # Cookiecutter renders them, once
    carried = {key: value.replace("{", BRACE) for key, value in (extra_context or {}).items()}
    try:
        run_command(extra_context=carried or None, **options)
    except TemplateError as error:
        sys.exit(f"An answer of your configuration file is no template that Jinja reads: {error}.")
    except OSError as error:
        sys.exit(f"The project was not made: {error.__cause__ or error}.")
    except (CookiecutterException, ValueError) as error:
        sys.exit(f"The project was not made: {str(error).rstrip('.')}.")
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        sys.exit(
            "Cookiecutter can make nothing of your configuration or replay file, whose answers "
            f"are texts in quotes: {error}."
        )


@wraps(make_project)
def briefly(*arguments: object, **options: object) -> None:
    """Make a project, without what the command says of an error beside the error.

    Raises:
        SystemExit: A hook failed, and said why if it could.
    """
    try:
        make_project(*arguments, **options)
    except FailedHookException as error:
        sys.exit(1 if "exit status: 1)" in str(error) else f"The project was not made: {error}.")
    except UndefinedVariableInTemplate as error:
        raise error.error from None


def refuse(offered: dict[str, Any], key: str, value: str) -> str | None:
    """Find what Cookiecutter would ignore or answer with a traceback.

    Args:
        offered: The content of `cookiecutter.json`.
        key: The answer's name.
        value: The answer.

    Returns:
        One sentence that names the value and the way out, or None.
    """
    if key not in offered or key.startswith("_"):
        keys = ", ".join(key for key in offered if not key.startswith("_"))
        return f"There is no answer {key!r}: the answers are {keys}."
    if key == "project_slug":  # before Cookiecutter makes folders of it; the hook knows the rest
        return refuse_folder(value)
    if isinstance(offered[key], list) and value not in offered[key]:
        return f"{key} {value!r} is not offered: choose one of {', '.join(offered[key])}."
    if isinstance(offered[key], bool) and value.strip().lower() not in YES_OR_NO:
        return f"{key} {value!r} is neither yes nor no: answer {key}=yes or {key}=no."
    return None


def refuse_folder(slug: object) -> str | None:
    """Find a slug that is not the name of one folder; give one sentence, or None."""
    if not isinstance(slug, str):
        return f"project_slug {slug!r} is not a text: put it in quotes."
    if slug in {"", ".", ".."} or {*slug} & {"/", "\\", "\0"}:
        return (
            f"project_slug {slug!r} cannot name a folder: use lower-case letters, digits and "
            "single hyphens, a letter first, such as 'my-shop'."
        )
    if len(slug) > SLUG_LENGTH:
        return (
            f"project_slug {slug!r} has {len(slug)} characters: "
            f"choose one of at most {SLUG_LENGTH}, such as 'my-shop'."
        )
    return None


@wraps(generate_files)
def all_or_nothing(*, context: dict[str, Any], output_dir: str, **options: object) -> str:
    """Generate the project's files, and remove what there is of them when that fails.

    A folder that was there stays as it is, and so does a project that is complete: interrupted
    while it is installed, for example.

    Returns:
        The project's folder.

    Raises:
        SystemExit: With one sentence, when the slug names no folder.
    """
    slug = context["cookiecutter"]["project_slug"]
    if problem := refuse_folder(slug):
        sys.exit(problem)
    project = Path(output_dir, slug)
    existed = project.exists()
    made = [folder for folder in project.parents if not folder.exists()]
    try:
        return generate_files(context=context, output_dir=output_dir, **options)  # type: ignore[no-any-return]
    except (OSError, KeyboardInterrupt):
        complete = existed or (project / "poetry.lock").exists()
        if not complete and not options["keep_project_on_failure"]:
            shutil.rmtree(project, ignore_errors=True)
        raise
    finally:
        with suppress(OSError):  # one that has something in it stays
            for folder in made:
                folder.rmdir()


if __name__ == "__main__":
    main(sys.argv[1:])
