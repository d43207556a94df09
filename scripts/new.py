"""Generate a project: `cookiecutter` on this repository, with errors of one sentence each.

Takes the arguments of the `cookiecutter` command, without the template.
"""

import json
import logging
import re
import sys
from pathlib import Path

from cookiecutter.cli import main as cookiecutter

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> None:
    """Run Cookiecutter.

    Args:
        arguments: Options and `key=value` answers of the `cookiecutter` command.

    Raises:
        SystemExit: With one sentence when an answer is refused, after Cookiecutter otherwise.
    """
    prompts = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    keys = [key for key in prompts if not key.startswith("_")]
    for argument in arguments:
        answer = re.match(r"([a-zA-Z]\w*)=", argument)
        if answer and answer[1] not in keys:
            sys.exit(f"There is no answer {answer[1]!r}: the answers are {', '.join(keys)}.")
    # A hook that fails has said why; Cookiecutter would add its own traceback
    logging.getLogger("cookiecutter.hooks").disabled = True
    try:
        cookiecutter([str(ROOT), *arguments], prog_name="make new")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
