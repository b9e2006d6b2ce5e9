"""Loads every room's builders and converters, so that a mapping may name them."""

import importlib
import pkgutil
from pathlib import Path

for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name.startswith("builders_") or _module.name.endswith("_values"):
        importlib.import_module(f"adapter.mapping.{_module.name}")
