"""Build hook of the wheel: compiles the modules that every message passes, where it is enabled.

They are the same Python, made into one C library by mypyc; what is not compiled beside them stays
as it is. It needs a C compiler: `make native` and `make wheel NATIVE=1` enable it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_WHOLE = ["-flto=auto", "-fno-plt"]  # gcc and clang: optimize the library as one


class NativeHook(BuildHookInterface[Any]):
    """`include` and `exclude` of its table in pyproject.toml are glob patterns of modules."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and put the libraries beside their modules in the wheel."""
        self._folder = tempfile.TemporaryDirectory()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        folder = compiled(self._modules(), Path(self._folder.name))
        for library in folder.rglob("*.so"):
            build_data["force_include"][str(library)] = library.relative_to(folder).as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: it is in the wheel by now."""
        self._folder.cleanup()

    def _modules(self) -> list[str]:
        root = Path(self.root)
        found, left = (
            {file for pattern in self.config[key] for file in root.glob(pattern)}
            for key in ("include", "exclude")
        )
        return sorted(str(file.relative_to(root)) for file in found - left)


def compiled(modules: list[str], folder: Path) -> Path:
    """The folder of the libraries of modules (paths below the working folder), within `folder`.

    Raises setuptools' CompileError without a C compiler, and SystemExit where mypyc refuses.
    """
    from mypyc.build import mypycify  # only who compiles has it
    from setuptools import Distribution

    level = os.environ.get("NATIVE_LEVEL", "2")  # of the C compiler: 0 to 3
    extensions = mypycify(
        ["--config-file=pyproject.toml", *modules],
        opt_level=level,
        debug_level="0",
        multi_file=True,
        group_name="ecm_adapter",
        target_dir=str(folder / "c"),
    )
    if level != "0" and os.name == "posix":  # modules call each other all the time
        for extension in extensions:
            extension.extra_compile_args += _WHOLE
            extension.extra_link_args += [f"-O{level}", *_WHOLE]
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "o")
    command.ensure_finalized()
    command.run()
    return folder / "lib"
