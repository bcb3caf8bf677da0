"""`labctl.crowd.share` with a server on loopback: a program for tests, which get its port and CA.

python -m tests.crowd.loopbackshare PORT CA
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Address
from pathlib import Path

from labctl.crowd import Target
from labctl.crowd.share import Order, serve
from tests.crowd.fakexmpp import DOMAIN


def here(_: Order) -> Target:
    port, ca_file = int(sys.argv[1]), Path(sys.argv[2])
    return Target(IPv4Address("127.0.0.1"), port, DOMAIN, ca_file, prove=lambda _: None)


if __name__ == "__main__":
    serve(here)
