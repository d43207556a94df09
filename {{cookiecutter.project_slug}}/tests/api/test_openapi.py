"""The API as it is served, against its own description, with whatever that allows and forbids."""

import pytest
from hypothesis import HealthCheck, given, settings

EXAMPLES = 10  # for each operation, and each kind of data
{% set headers = "live_headers" if cookiecutter.auth else "{}" %}


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_a_documented_one(
    live_url: str, mode: str{{ ", live_headers: dict[str, str]" if cookiecutter.auth }}
) -> None:
    import schemathesis  # takes a second, which the other tests need not wait for
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

    # valid data may be refused for what it says, and invalid data is valid as other text
    not_for_us = [positive_data_acceptance, negative_data_rejection]
    for result in schemathesis.openapi.from_url(f"{live_url}/openapi.json").get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[*HealthCheck],
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={{ headers }}, excluded_checks=not_for_us)

        check()
