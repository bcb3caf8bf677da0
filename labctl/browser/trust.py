"""What Chromium trusts: an NSS database with the lab's CA in it, in a home folder of its own.

Chromium on Linux reads `.pki/nssdb` in the user's home in addition to its own list.  With a home of
its own, the user's database stays untouched, and every certificate is verified as on a user's
machine: chain, name and dates.
"""

from __future__ import annotations

from pathlib import Path

from labctl.core import process

CERTUTIL_TIMEOUT = 30


def write_trust(home: Path, ca_file: Path) -> None:
    """Make the database below `home` and put the CA into it.

    Errors: ProcessError with certutil's output if it fails.
    """
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    place = f"sql:{database}"
    process.run(["certutil", "-d", place, "-N", "--empty-password"], timeout=CERTUTIL_TIMEOUT)
    process.run(
        ["certutil", "-d", place, "-A", "-n", "lab CA", "-t", "C,,", "-i", ca_file],
        timeout=CERTUTIL_TIMEOUT,
    )
