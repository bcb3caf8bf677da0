"""Write files so that readers see the old text or the new one, even after a power cut."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError


def write_file(path: Path, text: str, *, mode: int = 0o644, durable: bool = False) -> None:
    """Write a whole file: readers see the old text or the new one, never a part of it.

    With `durable` the text is on the disk when this returns and survives a power cut; use it for
    what cannot be made again.  Errors: LabError that says why the file cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(scratch, text, mode=mode, durable=durable)
        scratch.replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        hint = "Remove it or give it another name." if path.is_dir() else None
        raise LabError(f"'{path}' cannot be written: {error.strerror}.", hint=hint) from error


def write_if_changed(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a whole file unless it holds this text: an unchanged file keeps its time stamp."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_file(path, text, mode=mode)


def remove_entry(path: Path) -> None:
    """Remove what is at a path, whatever it is; a link's target stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, data: Any, *, mode: int = 0o644, durable: bool = False) -> None:
    """Write plain data as readable JSON, as a whole file."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_file(path, text, mode=mode, durable=durable)


def _write(path: Path, text: str, *, mode: int, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Put a new name on the disk: it is there only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
