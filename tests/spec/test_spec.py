"""The spec: bounds, every problem at once, flags over lab.conf."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.core.errors import SpecError
from labctl.spec import load_spec, spec_from_data
from labctl.topology.spec import Packages, PackageSource, Role, Size, VisitorsLayout


def problems_of(data: dict[str, object]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec_from_data(data, base=Path("/base"))
    return [str(problem) for problem in caught.value.problems]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_spec_is_the_lab_of_the_how_to() -> None:
    spec = spec_from_data({}, base=Path("/base"))
    assert (spec.lab, spec.domain, spec.jvbs, spec.visitors) == (
        "default",
        "meet.lab.internal",
        2,
        8,
    )
    assert spec.network == IPv4Network("192.168.56.0/24")
    assert spec.max_participants == 30


def test_lab_conf_and_flags_flags_win(tmp_path: Path) -> None:
    conf = write(
        tmp_path / "lab.conf",
        "lab = demo\njvbs = 1\nvisitors { count = 12, per_node = 4 }\nmax_participants = 5\n"
        "relays = on\n"
        "packages { source = debs, path = candidates, versions { jicofo = 1.0-2-1 } }\n"
        "roles { jms { memory = 2 GiB, cpus = 1 } }\n",
    )
    spec, _ = load_spec(conf, {"jvbs": 3, "domain": None, "visitors": 5})
    assert (spec.lab, spec.jvbs, spec.visitors, spec.visitors_per_node) == ("demo", 3, 5, 4)
    assert (spec.max_participants, spec.relays) == (5, True)
    assert spec.packages == Packages(
        PackageSource.DEBS, path=str(tmp_path / "candidates"), versions={"jicofo": "1.0-2-1"}
    )
    assert spec.sizes[Role.JMS] == Size(memory_mib=2048, cpus=1)


@pytest.mark.parametrize(
    ("roles", "size"),
    [
        ({"jvb": {"cpus": 1}}, Size(memory_mib=640, cpus=1)),
        ({"jvb": {"memory": "1 GiB"}}, Size(memory_mib=1024, cpus=2)),
    ],
    ids=["memory is left out", "CPUs are left out"],
)
def test_what_a_small_lab_leaves_out_of_a_size_is_small(
    roles: dict[str, object], size: Size
) -> None:
    spec = spec_from_data({"small": True, "roles": roles}, base=Path("/base"))
    assert spec.sizes == {Role.JVB: size}
    usual = spec_from_data({"roles": {"jvb": {"cpus": 1}}}, base=Path("/base"))
    assert usual.sizes == {Role.JVB: Size(memory_mib=2048, cpus=1)}


def test_a_flag_beside_a_bare_value_of_lab_conf_keeps_it(tmp_path: Path) -> None:
    conf = write(tmp_path / "lab.conf", "visitors = 3\n")
    spec, _ = load_spec(conf, {"visitors-per-node": 2})
    assert (spec.visitors, spec.visitors_per_node) == (3, 2)
    conf = write(tmp_path / "lab.conf", "visitors = null\n")
    spec, _ = load_spec(conf, {"visitors-per-node": 2})
    assert (spec.visitors, spec.visitors_per_node) == (8, 2)


@pytest.mark.parametrize(
    ("memory", "mib"),
    [
        (512, 512),
        ("2,5 GiB", 2560),
        ("4097 GiB", None),
        (4 * 1024**2 + 1, None),
        (4 * 1024**2, 4 * 1024**2),
        (511, None),
        (True, None),
    ],
)
def test_amounts_of_memory(memory: object, mib: int | None) -> None:
    data = {"roles": {"jvb": {"memory": memory}}}
    if mib is None:
        (found,) = problems_of(data)
        assert found.startswith("roles.jvb.memory: must be")
    else:
        assert spec_from_data(data, base=Path("/")).sizes[Role.JVB].memory_mib == mib


def test_what_was_saved_stands_in_for_a_missing_lab_conf() -> None:
    _, saved = load_spec(None, {"jvbs": 5, "visitors-per-node": 2})
    spec, _ = load_spec(None, {"visitors": 3}, saved=saved)
    assert (spec.jvbs, spec.visitors, spec.visitors_per_node) == (5, 3, 2)


def test_the_layout_may_be_said_by_flag_and_by_lab_conf(tmp_path: Path) -> None:
    assert load_spec(None, {})[0].visitors_layout is VisitorsLayout.NODES
    conf = write(tmp_path / "lab.conf", "visitors { count = 64, per_node = 1, layout = local }\n")
    assert load_spec(conf, {})[0].visitors_layout is VisitorsLayout.LOCAL
    _, saved = load_spec(None, {"visitors": 12, "visitors-layout": "local"})
    spec, _ = load_spec(None, {"visitors": 10}, saved=saved)
    assert (spec.visitors, spec.visitors_layout) == (10, VisitorsLayout.LOCAL)


def test_lab_conf_makes_what_was_saved_count_for_nothing(tmp_path: Path) -> None:
    conf = write(tmp_path / "lab.conf", "visitors = 1\n")
    spec, _ = load_spec(conf, {}, saved={"jvbs": 9})
    assert spec.jvbs == 2


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("stand-ins", Packages(PackageSource.STAND_INS)),
        ("jitsi:testing", "testing"),
        ("debs:/candidates", Packages(PackageSource.DEBS, path="/candidates")),
    ],
    ids=["stand-ins", "jitsi", "debs"],
)
def test_packages_flag(flag: str, expected: object) -> None:
    spec, _ = load_spec(None, {"packages": flag})
    assert spec.packages == expected or str(spec.packages.channel) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"jvb": 2}, "jvb: is not a key. Did you mean 'jvbs'?"),
        ({"zzz": 2}, "zzz: is not a key. Known keys: lab, provider, domain"),
        ({"jvbs": 51}, "jvbs: must be from 0 to 50, got 51."),
        ({"jvbs": -1}, "jvbs: must be from 0 to 50, got -1."),
        ({"jvbs": True}, "jvbs: must be a whole number from 0 to 50, got True."),
        ({"visitors": 65}, "visitors: must be from 0 to 64, got 65."),
        ({"visitors": {"per_nod": 3}}, "Did you mean 'visitors.per-node'?"),
        ({"visitors": {"per_node": 0}}, "visitors.per-node: must be from 1 to 64, got 0."),
        ({"visitors": {"layout": "lokal"}}, "Did you mean 'local'?"),
        ({"max-participants": "many"}, "must be a whole number from 1 to 1000, got 'many'."),
        ({"provider": "dokcer"}, "Did you mean 'docker'?"),
        ({"relays": "perhaps"}, "relays: must be on or off, got 'perhaps'."),
        ({"network": "8.8.8.0/24"}, "must lie in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"),
        ({"network": "100.64.0.0/24"}, "must lie in 10.0.0.0/8"),
        ({"network": "192.168.56.1/24"}, "must be an IPv4 network"),
        (
            {"network": "10.1.1.0/25"},
            "network: '10.1.1.0/25' cannot hold the nodes: offset 201 is needed, 126",
        ),
        (
            {"network": "auto", "visitors": {"count": 64, "per_node": 1}},
            "network: 'auto' cannot hold the nodes: offset 264 is needed, 254",
        ),
        (
            {"network": "auto", "domain": "192.168.56.105"},
            "domain: cannot be an address if the network is 'auto'.",
        ),
        ({"roles": {"jvb": {"memory": "5 TiB"}}}, "must be at most 4 TiB, got '5 TiB'."),
        ({"roles": {"jvb": {"memory": True}}}, "must be an amount such as 2048"),
        ({"visitors": {"count": 64, "per_node": 1}}, "offset 264 is needed, 254 is the last"),
        ({"domain": "v1.meet.jitsi"}, "domain: must not lie in 'meet.jitsi'"),
        ({"domain": "meet"}, "domain: must be a host name with a dot in it"),
        ({"domain": "meet lab.x"}, "domain: must be a host name with a dot in it"),
        ({"domain": "192.168.56.7"}, "domain: may be an address only if it is the JMS's"),
        ({"lab": "Demo Lab"}, "lab: must be 1 to 32 lower-case letters"),
        ({"lab": "current"}, "lab: must not be 'current'"),
        ({"packages": "debs"}, "packages.path: must name the folder"),
        ({"packages": {"source": "deb"}}, "Did you mean 'debs'?"),
        (
            {"packages": {"versions": {"jicofo": "new"}}},
            "packages.versions.jicofo: must be a Debian",
        ),
        (
            {"roles": {"jvb": {"memory": 64}}},
            "roles.jvb.memory: must be at least 512 MiB, got 64 MiB.",
        ),
        ({"roles": {"jvb": {"memory": "much"}}}, "must be an amount such as 2048 or '2 GiB'"),
        ({"roles": {"jvb": 3}}, "roles.jvb: must be an object"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_problem_names_its_key_and_what_is_allowed(data: dict[str, object], problem: str) -> None:
    found = problems_of(data)
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ({"domain": "v1.meet.jitsi"}, "That suffix belongs to the visitor Prosodies;"),
        ({"network": "8.8.8.0/24"}, "A lab uses private addresses only."),
        ({"network": "10.1.1.0/25"}, "Use a /24, or put more vnodes on each node with"),
        ({"roles": {"jvb": {"memory": "5 TiB"}}}, "A number without a unit is MiB."),
        ({"hosts": ["local"], "placement": {"jms": "lab2"}}, "The machines: local."),
        (
            {"hosts": ["local", "ssh://lab2"], "placement": {"jms": "lab3"}},
            "The machines: local, lab2.",
        ),
        ({"placement": {"jms": "lab2"}}, "Name the machines in 'hosts'."),
        (
            {"hosts": ["local"], "placement": {"visitor": "local"}},
            "Did you mean 'placement.visitors'?",
        ),
        ({"packages": "debs"}, "debs:DIR"),
        ({"packages": "jitsi:/nowhere/pins"}, "A channel is one of stable, testing, unstable."),
        ({"debian": "2"}, "A release is a file of data in 'packer/debian/'."),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_problem_says_what_to_do(data: dict[str, object], hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_data(data, base=Path("/base"))
    (problem,) = caught.value.problems
    assert problem.hint is not None
    assert problem.hint.startswith(hint)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("on", True),
        ("Yes", True),
        ("true", True),
        (True, True),
        ("OFF", False),
        ("no", False),
        ("false", False),
        (False, False),
    ],
)
def test_words_for_on_and_off(word: object, value: bool) -> None:
    assert spec_from_data({"relays": word}, base=Path("/")).relays is value


@pytest.mark.parametrize(("jvbs", "fits"), [(21, True), (22, False)])
def test_a_network_holds_nodes_up_to_its_last_address(jvbs: int, fits: bool) -> None:
    data: dict[str, object] = {"network": "10.1.1.0/25", "jvbs": jvbs, "visitors": 0}
    if fits:
        assert spec_from_data(data, base=Path("/")).jvbs == jvbs
    else:
        assert "offset 127 is needed, 126 is the last" in problems_of(data)[0]


@pytest.mark.parametrize(("length", "good"), [(239, True), (240, False)])
def test_a_domain_leaves_room_for_what_goes_before_it(length: int, good: bool) -> None:
    """DNS names have 253 characters at most, and 'internal.auth.' goes before it."""
    domain = ("a" * 59 + ".") * 3 + "b" * (length - 180)
    domain = f"{domain[:220]}.{domain[221:]}"
    if good:
        assert spec_from_data({"domain": domain}, base=Path("/")).domain == domain
    else:
        assert problems_of({"domain": domain})[0].startswith("domain: must be a host name")


def test_every_problem_is_reported_at_once() -> None:
    found = problems_of(
        {
            "lab": "No!",
            "jvb": 1,
            "jvbs": 99,
            "visitors": "x",
            "domain": "-",
            "network": "1.1.1.0/24",
            "relays": 3,
            "provider": "vmware",
            "packages": "floppy",
            "max-participants": 0,
        }
    )
    assert len(found) == 10


def test_the_address_of_the_jms_may_be_the_domain() -> None:
    assert spec_from_data({"domain": "192.168.56.105"}, base=Path("/")).domain == "192.168.56.105"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jvbs = = 2", "is not HOCON"),
        ('include required("other.conf")', "other.conf"),
        ('include "other.conf"', "other.conf"),
        ("jvbs = ${nowhere}", "nowhere"),
    ],
    ids=["syntax", "required-include", "include", "substitution"],
)
def test_a_file_that_pyhocon_is_loose_about(tmp_path: Path, text: str, said: str) -> None:
    conf = write(tmp_path / "lab.conf", text)
    with pytest.raises(SpecError, match=said):
        load_spec(conf, {})
