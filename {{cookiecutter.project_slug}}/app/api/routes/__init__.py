"""The routes under `/api/v1`: one module per resource, found here, not registered."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

router = APIRouter()
for _module in iter_modules(__path__):
    router.include_router(import_module(f"{__name__}.{_module.name}").router)
