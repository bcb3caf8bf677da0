"""A real VirtualBox without a kernel driver: Debian sid's, in a container.

What is real: every VBoxManage command, VirtualBox's service behind it, its files, and host-only
interfaces once they are there (VirtualBox takes every interface called vboxnetN for one; here it is
a bridge in the container).  What is not: making and removing such an interface needs the kernel
driver, so the stand-in for the command answers `hostonlyif create` and `hostonlyif remove` by `ip
link`; and it tells a version that Debian 12's Vagrant supports.  Nothing can be started: `startvm`
is the real command, and it fails.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

VERSION = "7.0.26r168464"
"""What the stand-in answers to `--version`: Vagrant 2.3.4 refuses 7.2, which sid has."""

SCRIPT = """\
#!/bin/sh
# Notes each call, answers what the missing kernel driver and Vagrant's age make impossible, and
# hands everything else to the real command.
printf '%s\\n' "$*" >>'{log}'
inside() {{
    exec docker exec -e LANG=C '{container}' "$@"
}}
case "$1 ${{2:-}}" in
"--version ")
    echo {version}
    ;;
"hostonlyif create")
    inside sh '{programs}/create'
    ;;
"hostonlyif remove")
    inside ip link del "$3"
    ;;
*)
    inside /usr/lib/virtualbox/VBoxManage "$@"
    ;;
esac
"""

CREATE_SCRIPT = """\
n=0
while [ -e /sys/class/net/vboxnet$n ]; do n=$((n + 1)); done
ip link add vboxnet$n type bridge
echo "Interface 'vboxnet$n' was successfully created"
"""

IP_SCRIPT = """\
#!/bin/sh
# The interfaces and routes of the machine that VirtualBox runs on.
exec docker exec '{container}' ip "$@"
"""


@dataclass(frozen=True)
class VirtualBox:
    """The container, and the folder that it shares with this machine under the same path."""

    container: str
    folder: Path

    @property
    def programs(self) -> Path:
        """Where the stand-ins for VBoxManage and ip lie."""
        return self.folder / "programs"

    @property
    def log(self) -> Path:
        """One line for each call of VBoxManage."""
        return self.folder / "calls.log"

    @property
    def path(self) -> str:
        return f"{self.programs}:{os.environ['PATH']}"

    def inside(self, *words: str | Path, check: bool = True) -> str:
        """Standard output of a command in the container; with `check` off also its errors."""
        done = subprocess.run(
            ["docker", "exec", self.container, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if check else subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def manage(self, *words: str | Path, check: bool = True) -> str:
        """What the real VBoxManage printed."""
        return self.inside("/usr/lib/virtualbox/VBoxManage", *words, check=check)

    def write_programs(self) -> None:
        """Make the stand-ins for VBoxManage and ip."""
        self.programs.mkdir()
        values = {
            "container": self.container,
            "log": self.log,
            "programs": self.programs,
            "version": VERSION,
        }
        for name, text in {"VBoxManage": SCRIPT, "ip": IP_SCRIPT}.items():
            file = self.programs / name
            file.write_text(text.format(**values))
            file.chmod(0o755)
        (self.programs / "create").write_text(CREATE_SCRIPT)
