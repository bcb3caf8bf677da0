"""The Debian mirror of a machine: sample sources as they are found in the wild."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.images.debian import (
    Mirror,
    Release,
    ca_file,
    carried,
    find_mirror,
    load_entries,
    load_mirror,
    load_release,
    parse_list,
    parse_sources,
    render_settings,
    render_sources,
    source_lines,
)
from labctl.images.download import parse_settings

IMAGE = """\
Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
INSTALLER = """\
#deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm contrib main

deb http://ftp.example/debian/ bookworm main non-free-firmware
deb-src http://ftp.example/debian/ bookworm main
deb http://sec.example/debian-security bookworm-security main  # weekly
"""
PROSODY = "deb http://packages.prosody.example/debian bookworm main\n"
PROSODY_SIGNED = (
    "deb [signed-by=/x/prosody.key] http://packages.prosody.example/debian bookworm main\n"
)
DOCKER = "deb [arch=amd64 signed-by=/d.asc] https://download.example/linux/debian bookworm stable\n"
EMBEDDED = """\
Types: deb deb-src
URIs: https://a.example/x https://b.example/x
Suites: ./
Trusted: yes

Types: deb
URIs: http://key.example/debian
Suites: trixie
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
Enabled: no
"""


def write_apt(root: Path, files: dict[str, str]) -> Path:
    (root / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "main", "security"),
    [
        pytest.param(
            {"sources.list.d/debian.sources": IMAGE},
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
            id="container image",
        ),
        pytest.param(
            {"sources.list": INSTALLER},
            "http://ftp.example/debian",
            "http://sec.example/debian-security",
            id="installer",
        ),
        pytest.param(
            {"sources.list.d/a.list": PROSODY_SIGNED + DOCKER, "sources.list": INSTALLER},
            "http://ftp.example/debian",
            "http://sec.example/debian-security",
            id="others first by name",
        ),
        pytest.param(
            {"sources.list.d/a.list": PROSODY, "sources.list.d/z.sources": IMAGE},
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
            id="another's repository that ends in /debian too",
        ),
        pytest.param(
            {"sources.list": "deb https://only.example/debian trixie main\n"},
            "https://only.example/debian",
            None,
            id="no security entry",
        ),
        pytest.param(
            {"sources.list": "deb http://x.example/debian bookworm-backports main\n"},
            None,
            None,
            id="backports alone",
        ),
        pytest.param({"sources.list.d/a.list": DOCKER}, None, None, id="only third parties"),
        pytest.param({"sources.list.d/e.sources": EMBEDDED}, None, None, id="disabled"),
        pytest.param({}, None, None, id="nothing"),
    ],
)
def test_mirror_is_debians_own(
    tmp_path: Path, files: dict[str, str], main: str | None, security: str | None
) -> None:
    assert find_mirror(load_entries(write_apt(tmp_path / "apt", files))) == (main, security)


def test_mirror_of_a_cloud_image_is_in_another_file(tmp_path: Path) -> None:
    listed = tmp_path / "debian"
    listed.mkdir()
    (listed / "debian.list").write_text("https://cdn.example/debian\nhttps://b.example/debian\n")
    text = IMAGE.replace("http://mirror.example/debian\n", f"mirror+file://{listed}/debian.list\n")
    assert find_mirror(parse_sources(text))[0] == "https://cdn.example/debian"


def test_deb822_reads_fields_that_go_on_and_skips_what_is_off() -> None:
    first, *rest = parse_sources(EMBEDDED)
    assert first.uris == ("https://a.example/x", "https://b.example/x")
    assert first.suites == ("./",)
    assert rest == []
    enabled = parse_sources(EMBEDDED.replace("Enabled: no", "Enabled: yes"))[1]
    assert "PGP PUBLIC KEY" in enabled.signed_by


def test_one_line_entries() -> None:
    entries = parse_list(INSTALLER + PROSODY_SIGNED)
    assert [entry.suites for entry in entries] == [
        ("bookworm",),
        ("bookworm-security",),
        ("bookworm",),
    ]
    assert entries[0].components == ("main", "non-free-firmware")
    assert entries[1].components == ("main",)
    assert entries[2].signed_by == "/x/prosody.key"


@pytest.mark.programs
def test_no_mirror_is_an_error_with_a_hint(tmp_path: Path) -> None:
    apt = write_apt(tmp_path / "apt", {"sources.list.d/docker.list": DOCKER})
    with pytest.raises(LabError) as caught:
        load_mirror(apt)
    assert str(apt) in caught.value.message
    assert "debian-archive-keyring" in (caught.value.hint or "")


def test_settings_that_downloads_need_are_carried() -> None:
    dump = (
        'APT "";\nAcquire::http::Proxy "http://p.example:3142";\n'
        'Acquire::https::Proxy::x.example "DIRECT";\nAcquire::Check-Valid-Until "false";\n'
        'Acquire::https::CAInfo "/etc/ssl/corp.pem";\nAcquire::https::Verify-Peer "false";\n'
        'Acquire::ftp "";\nDPkg::Post-Invoke:: "touch /x";\n'
    )
    settings = carried(parse_settings(dump))
    assert settings == {
        "Acquire::http::Proxy": "http://p.example:3142",
        "Acquire::https::Proxy::x.example": "DIRECT",
        "Acquire::Check-Valid-Until": "false",
        "Acquire::https::CAInfo": "/etc/ssl/corp.pem",
    }
    mirror = Mirror("http://m.example/debian", settings=settings)
    assert ca_file(mirror) == Path("/etc/ssl/corp.pem")
    text = render_settings(mirror, ca_file="/in/image.pem")
    assert 'Acquire::https::CAInfo "/in/image.pem";' in text
    assert 'Acquire::Check-Valid-Until "false";' in text


def test_sources_of_the_images() -> None:
    release = load_release()
    mirror = Mirror("http://m.example/debian", "http://m.example/debian-security")
    assert source_lines(mirror, release) == [
        ("http://m.example/debian", "trixie"),
        ("http://m.example/debian", "trixie-updates"),
        ("http://m.example/debian", "trixie-backports"),
        ("http://m.example/debian-security", "trixie-security"),
    ]
    entries = parse_sources(render_sources(mirror, release))
    assert find_mirror(entries) == (mirror.main, mirror.security)
    assert source_lines(Mirror("http://m.example/debian"), release)[-1][1] == "trixie-backports"


def test_release_backports_prosody() -> None:
    release: Release = load_release()
    assert release.backported == ("prosody",)
    assert {"systemd-sysv", "openssh-server", "sudo", "nftables"} <= set(release.base)
