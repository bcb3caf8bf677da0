"""Proxies and mirrors: wherever a machine has them written down, every download finds them."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.images import debian, jitsi, proxies
from labctl.images.bakeinput import BakeInput, save_input
from labctl.images.debian import Mirror, load_mirror, load_passwords, load_release
from labctl.images.download import APT_HELPER, parse_reason
from labctl.images.jitsi import Repository
from labctl.images.packages import PackageSet
from labctl.images.proxies import complete, hide_from_containers, load_docker_proxies
from labctl.images.rootfs import RootfsJob, rootfs_command
from labctl.topology.spec import Role

MAIN, SECURE = "http://deb.example/debian", "https://mirror.corp.example/debian"
NONE = Path("/nonexistent")
VARIABLES = {"http_proxy": "http://env:1", "https_proxy": "http://env:2"}


@pytest.mark.parametrize(
    ("settings", "variables", "client", "expected"),
    [
        pytest.param({}, {}, {}, {}, id="none"),
        pytest.param(
            {"Acquire::http::Proxy": "http://apt:3142"},
            VARIABLES,
            {},
            {"Acquire::http::Proxy": "http://apt:3142"},
            id="apt.conf wins over the environment",
        ),
        pytest.param(
            {},
            VARIABLES,
            {"httpProxy": "http://docker:1"},
            {
                "Acquire::http::Proxy::deb.example": "http://env:1",
                "Acquire::https::Proxy::mirror.corp.example": "http://env:2",
            },
            id="the environment",
        ),
        pytest.param(
            {},
            {"HTTP_PROXY": "proxy:8080", "NO_PROXY": "localhost,.corp.example"},
            {},
            {"Acquire::http::Proxy::deb.example": "http://proxy:8080"},
            id="capitals, and without a scheme",
        ),
        pytest.param(
            {},
            {**VARIABLES, "no_proxy": "localhost,.corp.example"},
            {},
            {
                "Acquire::http::Proxy::deb.example": "http://env:1",
                "Acquire::https::Proxy::mirror.corp.example": "DIRECT",
            },
            id="no_proxy",
        ),
        pytest.param(
            {},
            {},
            {"httpProxy": "http://docker:1", "noProxy": "*.corp.example"},
            {"Acquire::http::Proxy::deb.example": "http://docker:1"},
            id="Docker's client",
        ),
        pytest.param(
            {"Acquire::http::Proxy::deb.example": "DIRECT"},
            {"http_proxy": "http://env:1"},
            {},
            {"Acquire::http::Proxy::deb.example": "DIRECT"},
            id="one host of apt.conf",
        ),
    ],
)
def test_proxies_become_settings_of_apt(
    settings: dict[str, str],
    variables: dict[str, str],
    client: dict[str, str],
    expected: dict[str, str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {}, "proxies": {"default": client}}), encoding="utf-8")
    assert complete(settings, [MAIN, SECURE], environment=variables, docker=file) == expected


@pytest.mark.parametrize(
    ("excepted", "direct"),
    [("10.0.0.0/8", True), ("10.1.2.3", True), ("*", True), ("10.2.0.0/16", False), ("", False)],
)
def test_networks_in_no_proxy(excepted: str, direct: bool) -> None:
    variables = {"http_proxy": "http://p:1", "no_proxy": excepted}
    found = complete({}, ["http://10.1.2.3/debian"], environment=variables, docker=NONE)
    assert found == {"Acquire::http::Proxy::10.1.2.3": "DIRECT" if direct else "http://p:1"}


@pytest.mark.programs
@pytest.mark.parametrize("name", ["Proxy-Auto-Detect", "ProxyAutoDetect"])
def test_apts_script_is_asked_here_because_no_image_has_it(name: str, tmp_path: Path) -> None:
    script = tmp_path / "detect"
    script.write_text(
        "#!/bin/sh\ncase $1 in *corp*) echo DIRECT;; *) echo http://found:3142;; esac\n"
    )
    script.chmod(0o755)
    found = complete(
        {f"Acquire::http::{name}": str(script)},
        [MAIN, SECURE],
        environment=VARIABLES,
        docker=NONE,
    )
    assert found == {
        "Acquire::http::Proxy::deb.example": "http://found:3142",
        "Acquire::https::Proxy::mirror.corp.example": "DIRECT",
    }


@dataclass
class Proxy:
    """A proxy, or a mirror, on loopback that answers everything with one file."""

    address: str
    asked: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            found.passwords.append(self.headers.get("Authorization", ""))
            body = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Proxy(f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


needs_apt = pytest.mark.skipif(not APT_HELPER.exists(), reason="needs apt's own downloader")
INDEX = "http://download.example/stable/InRelease"


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.delenv(proxies.USERS, raising=False)


@needs_apt
@pytest.mark.programs
@pytest.mark.sockets
@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize("where", ["environment", "capitals", "apt.conf", "script", "docker"])
def test_whether_jitsis_repository_answers_is_asked_like_a_bake_asks(
    where: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://{proxy.address}"
    conf, script = tmp_path / "apt.conf", tmp_path / "detect"
    match where:
        case "environment":
            monkeypatch.setenv("http_proxy", url)
        case "capitals":
            monkeypatch.setenv("HTTP_PROXY", url)
        case "apt.conf":
            conf.write_text(f'Acquire::http::Proxy "{url}";\n')
        case "script":
            script.write_text(f"#!/bin/sh\necho {url}\n")
            script.chmod(0o755)
            conf.write_text(f'Acquire::http::Proxy-Auto-Detect "{script}";\n')
        case "docker":
            (tmp_path / ".docker").mkdir()
            data = {"proxies": {"default": {"httpProxy": url}}}
            (tmp_path / ".docker" / "config.json").write_text(json.dumps(data))
    if conf.exists():
        monkeypatch.setenv("APT_CONFIG", str(conf))
    assert jitsi.fetch_problem(INDEX, seconds=30) is None
    assert proxy.asked == [INDEX]


@needs_apt
@pytest.mark.programs
@pytest.mark.sockets
@pytest.mark.usefixtures("_bare")
def test_a_password_of_apt_is_sent(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "auth").write_text(f"machine http://{proxy.address}/ login ann password secret\n")
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::netrc "{tmp_path}/auth";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    assert jitsi.fetch_problem(f"http://{proxy.address}/InRelease", seconds=30) is None
    assert proxy.passwords == [f"Basic {base64.b64encode(b'ann:secret').decode()}"]


AUTH = """\
# ours
machine mirror.corp.example login ann password s3cret
machine https://other.example/x
  login bob
  password hunter2
"""


def machine_with(tmp_path: Path, uri: str) -> Path:
    apt = tmp_path / "apt"
    (apt / "auth.conf.d").mkdir(parents=True)
    (apt / "auth.conf.d" / "corp.conf").write_text(AUTH, encoding="utf-8")
    (apt / "sources.list").write_text(f"deb {uri} trixie main\n", encoding="utf-8")
    return apt


def test_passwords_of_the_hosts_in_question_and_no_others(tmp_path: Path) -> None:
    apt = machine_with(tmp_path, SECURE)
    assert load_passwords(apt, [SECURE]) == (
        "machine mirror.corp.example login ann password s3cret\n"
    )
    assert "bob" in load_passwords(apt, ["https://other.example/x/debian"])
    assert load_passwords(apt, [MAIN]) == ""


@pytest.mark.programs
@pytest.mark.usefixtures("_bare")
def test_a_bake_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container or a guest needs: it has neither this machine's files nor its variables."""
    store = tmp_path / "ca-certificates.crt"
    store.write_text("company\n", encoding="utf-8")
    monkeypatch.setattr(debian, "SYSTEM_CA", store)
    monkeypatch.setattr(debian, "read_settings", dict)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    mirror = load_mirror(machine_with(tmp_path, SECURE), also=["https://download.example"])
    packages = PackageSet((), Repository())
    save_input(BakeInput(Role.JVB, packages, mirror, load_release()), folder=tmp_path / "input")
    conf = (tmp_path / "input" / "apt.conf").read_text(encoding="utf-8")
    assert 'Acquire::https::Proxy::mirror.corp.example "http://proxy:3128";' in conf
    assert 'Acquire::https::Proxy::download.example "http://proxy:3128";' in conf
    assert 'Acquire::https::CAInfo "/tmp/labctl-bake/ca.crt";' in conf
    assert 'Dir::Etc::netrc "/tmp/labctl-bake/auth.conf";' in conf
    assert (tmp_path / "input" / "ca.crt").read_text() == "company\n"
    auth = tmp_path / "input" / "auth.conf"
    assert "s3cret" in auth.read_text() and auth.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in repr(mirror)
    # Nothing of this is in the sources, which stay in the image.
    assert "s3cret" not in (tmp_path / "input" / "debian.sources").read_text()


def test_a_base_is_made_with_all_of_it(tmp_path: Path) -> None:
    settings = {"Acquire::http::Proxy::deb.example": "http://proxy:1"}
    mirror = Mirror(MAIN, settings=settings, passwords="machine deb.example login a password b\n")
    rootfs_command(
        RootfsJob(mirror, load_release(), packages=(), scripts=()),
        tree=tmp_path / "tree.tar",
        scratch=tmp_path,
    )
    conf = (tmp_path / "apt.conf").read_text(encoding="utf-8")
    assert 'Acquire::http::Proxy::deb.example "http://proxy:1";' in conf
    assert f'Dir::Etc::netrc "{tmp_path}/auth.conf";' in conf
    assert (tmp_path / "auth.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("_bare")
def test_proxies_of_dockers_client_stay_out_of_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, ours = tmp_path / ".docker", tmp_path / "ours"
    (own / "contexts").mkdir(parents=True)
    data = {"auths": {"r.example": {}}, "proxies": {"default": {"httpProxy": "http://u:p@d:1"}}}
    (own / "config.json").write_text(json.dumps(data), encoding="utf-8")
    # So that both are forgotten after the test.
    monkeypatch.setenv("DOCKER_CONFIG", str(own))
    monkeypatch.setenv(proxies.USERS, str(own))
    for _ in range(2):
        hide_from_containers(ours)
    assert os.environ["DOCKER_CONFIG"] == str(ours)
    assert json.loads((ours / "config.json").read_text()) == {"auths": {"r.example": {}}}
    assert (ours / "contexts").resolve() == own / "contexts"
    # Downloads still use them.
    assert load_docker_proxies(proxies.docker_file()) == {"http_proxy": "http://u:p@d:1"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Err:1 http://x\nE: Failed to fetch http://x/y  404  Not Found [IP: ::1]",
            "HTTP status 404",
        ),
        (
            "E: Failed to fetch https://x  Certificate verification failed: The certificate is NOT"
            " trusted.\nE: Download Failed",
            "Certificate verification failed: The certificate is NOT trusted",
        ),
        (
            "E: The method driver /x could not be found.",
            "E: The method driver /x could not be found",
        ),
    ],
    ids=["status", "certificate", "other"],
)
def test_apts_reasons(text: str, reason: str) -> None:
    assert parse_reason(text) == reason


@needs_apt
@pytest.mark.programs
def test_a_key_that_cannot_be_fetched_is_an_error_with_apts_reason() -> None:
    with pytest.raises(LabError, match="cannot be fetched: Could not connect to"):
        jitsi.fetch_keyring(Repository("http://127.0.0.1:9"))
