"""Puts into a wheel what is not Python: `pyproject.toml` says everything else.

An installed labctl finds it in `labctl/kit` (`labctl.topology.places`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

KIT = (
    "Vagrantfile",
    "acceptance",
    "packer",
    "pyproject.toml",  # pytest's settings for the acceptance suite
    "requirements-browser.lock",
    "standins",
    "training",
)
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


class BuildWithKit(build_py):
    """`build_py` that copies the kit; links become files, because a wheel has none."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        kit = Path(self.build_lib) / "labctl" / "kit"
        shutil.rmtree(kit, ignore_errors=True)
        kit.mkdir(parents=True)
        for source in map(Path, KIT):
            if source.is_dir():
                shutil.copytree(source, kit / source.name, ignore=IGNORED)
            elif source.is_file():
                shutil.copy2(source, kit / source.name)


setup(cmdclass={"build_py": BuildWithKit})
