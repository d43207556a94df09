"""The shapes of what is not a resource: messages, and the errors that routes document."""

from typing import Any

from pydantic import BaseModel


class Message(BaseModel):
    """What was done, in one sentence."""

    message: str


class Error(BaseModel):
    """What went wrong, in one sentence."""

    detail: str


Responses = dict[int | str, dict[str, Any]]

NOT_READY: Responses = {503: {"model": Error, "description": "Not ready"}}
{% if cookiecutter.auth %}
BAD_REQUEST: Responses = {400: {"model": Error, "description": "Refused"}}
CONFLICT: Responses = {409: {"model": Error, "description": "Taken"}}


def in_json(responses: Responses) -> Responses:
    """Document errors of a route that answers success with something else than JSON."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"description": response["description"], "content": content}
        for status, response in responses.items()
    }
{% else %}
NOT_FOUND: Responses = {404: {"model": Error, "description": "Not found"}}
{% endif %}
