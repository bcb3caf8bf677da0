"""The call that makes a Debian tree."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from labctl.images.debian import Mirror, load_release
from labctl.images.rootfs import RootfsJob, rootfs_command


def test_nothing_is_read_from_where_another_user_may_not_look(tmp_path: Path) -> None:
    """mmdebstrap of a user who is not root runs its hooks as another user."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    for name in ("base.sh", "initramfs.sh"):
        (home / name).write_text(f"echo {name}\n")
        (home / name).chmod(0o600)
    job = RootfsJob(
        Mirror("http://m.example/debian"),
        load_release(),
        packages=("dbus",),
        scripts=(home / "base.sh",),
        hooks=(home / "initramfs.sh",),
    )
    said = " ".join(
        str(word) for word in rootfs_command(job, tree=scratch / "tree.tar", scratch=scratch)
    )
    assert str(home) not in said
    read = {Path(name) for name in re.findall(rf"{scratch}/[\w.]+", said)} - {scratch / "tree.tar"}
    assert {file.name for file in read} == {"base.sh", "initramfs.sh", "debian.sources", "apt.conf"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in read} == {0o644}
    assert (scratch / "base.sh").read_text() == "echo base.sh\n"
