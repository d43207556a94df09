"""The API as it is served, against its own description, with whatever that allows and forbids."""

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
{% if cookiecutter.auth %}

from app.models.user import User
from tests.users import headers
{% endif %}

EXAMPLES = int(os.environ.get("EXAMPLES", "3"))  # for each operation, and each kind of data
{% set headers = "headers(live_superuser)" if cookiecutter.auth else "{}" %}


@pytest.mark.filterwarnings("ignore")  # schemathesis' own are not ours to mend
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_a_documented_one(live_url: str, mode: str{{ ", live_superuser: User" if cookiecutter.auth }}) -> None:
    import schemathesis  # takes a second, which the other tests need not wait for
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

    for result in schemathesis.openapi.from_url(f"{live_url}/openapi.json").get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[*HealthCheck],
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def check(case: schemathesis.Case[Any]) -> None:
            # valid data may be refused for what it says, invalid data may be valid as text
            not_for_us = [positive_data_acceptance, negative_data_rejection]
            case.call_and_validate(headers={{ headers }}, excluded_checks=[*not_for_us])

        with suppress(Unsatisfiable):  # nothing to send, so nothing to send wrongly
            check()
