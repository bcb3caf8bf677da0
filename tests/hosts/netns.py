"""A machine with networks and mounts of its own: a script sets it up, Python looks at it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = 'link() { ip link add "$1" type bridge; ip link set "$1" up; ip addr add "$2" dev "$1"; }\n'


def look(setup: str, question: Callable[[], Any]) -> Any:
    """The answer of `question`, a function of a test module, on a machine that `setup` made.

    `setup` is a shell script; `link NAME ADDRESS/PREFIX` in it makes an interface.
    """
    name = question.__name__
    code = f"import json\nfrom {question.__module__} import {name}\nprint(json.dumps({name}()))"
    # A bridge without ports stands for any kind of interface; not every kernel has others.
    script = f'set -e\n{LINK}ip link set lo up\n{setup}\nexec "$0" -c "$1"'
    words = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script]
    done = subprocess.run(
        [*words, sys.executable, code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"this machine does not let tests make namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
