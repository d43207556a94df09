"""Generate a project: `cookiecutter` on this repository, with errors of one sentence each.

Takes the arguments of the `cookiecutter` command, without the template.
"""

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

from cookiecutter.cli import main as cookiecutter
from cookiecutter.prompt import YesNoPrompt

ROOT = Path(__file__).resolve().parents[1]
YES_OR_NO = {*YesNoPrompt.yes_choices, *YesNoPrompt.no_choices}


def main(arguments: list[str]) -> None:
    """Run Cookiecutter.

    Args:
        arguments: Options and `key=value` answers of the `cookiecutter` command.

    Raises:
        SystemExit: With one sentence when an answer is refused, after Cookiecutter otherwise.
    """
    offered = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    for argument in arguments:
        answer = re.fullmatch(r"([a-zA-Z]\w*)=(.*)", argument, re.DOTALL)
        if answer and (problem := refuse(offered, *answer.groups())):
            sys.exit(problem)
    # A hook that fails has said why; Cookiecutter would add its own traceback
    logging.getLogger("cookiecutter.hooks").disabled = True
    cookiecutter([str(ROOT), *arguments], prog_name="make new")


def refuse(offered: dict[str, Any], key: str, value: str) -> str | None:
    """Find what Cookiecutter would ignore or answer with a traceback.

    Args:
        offered: The content of `cookiecutter.json`.
        key: The answer's name.
        value: The answer.

    Returns:
        One sentence that names the value and the way out, or None.
    """
    if key not in offered:
        keys = ", ".join(key for key in offered if not key.startswith("_"))
        return f"There is no answer {key!r}: the answers are {keys}."
    if key == "project_slug" and (value in {"", ".", ".."} or {*value} & {"/", "\\"}):
        return (  # before Cookiecutter makes folders of it, the rest is the hook's to refuse
            f"project_slug {value!r} cannot name a folder: use lower-case letters, digits and "
            "single hyphens, a letter first, such as 'my-shop'."
        )
    if isinstance(offered[key], list) and value not in offered[key]:
        return f"{key} {value!r} is not offered: choose one of {', '.join(offered[key])}."
    if isinstance(offered[key], bool) and value.lower() not in YES_OR_NO:
        return f"{key} {value!r} is neither yes nor no: answer {key}=yes or {key}=no."
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
