"""The routes under `/api/v1`: one module per resource, each with a `router`, found here."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

routers: list[APIRouter] = [
    import_module(f"{__name__}.{module.name}").router for module in iter_modules(__path__)
]
