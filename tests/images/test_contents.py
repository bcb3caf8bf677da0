"""dpkg's record of an image, read package by package."""

from __future__ import annotations

from labctl.images.contents import DebPackage, parse_status

STATUS = """\
Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.26.3-3
Description: small, powerful server
 Package: not-this
 .
 More.
Conffiles:
 /etc/nginx/nginx.conf 0123

Package: exim4
Status: deinstall ok config-files
Architecture: amd64
Version: 4.98

Package: adduser
Status: hold ok installed
Architecture: all
Version: 3:3.152~rc1
"""


def test_what_is_installed_by_name() -> None:
    assert parse_status(STATUS) == (
        DebPackage("adduser", "3:3.152~rc1", "all"),
        DebPackage("nginx", "1.26.3-3", "amd64"),
    )
