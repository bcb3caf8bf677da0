#!/usr/bin/env python3
"""How long an Ansible playbook takes for what labctl does: the same nodes, files and services.

    .venv/bin/python benchmarks/playbook.py [--runs 3] [--jvbs 2] [--visitors 8] [--network ...]

In each round, in turn: `labctl up` from images alone; then the same machines anew, brought to the
same state by the playbook in `benchmarks/ansible/`, with pipelining, and judged ready by labctl's
own check of signals and media.  The files, owners, modes, links and units that the playbook leaves
must be those of labctl's manifests, else the run fails.  Then both once more with nothing to do.

ansible-core comes from PyPI into an environment of its own.  Modules need Python on every node;
nodes whose image has none get that of the JMS before, untimed.  So is the making of the templates:
labctl's rendered files with the lab's values turned into variables, because only the same text
can be compared.  Packages are in the images, and the playbook does not ask for them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.environments import ensure_program  # noqa: E402
from benchmarks.results import Results, add_options, run_timed  # noqa: E402
from labctl.core.errors import LabError  # noqa: E402
from labctl.node.reach import reach  # noqa: E402
from labctl.node.script import ShellScript  # noqa: E402
from labctl.node.ssh import close_masters, ensure_config  # noqa: E402
from labctl.providers.vagrant import VagrantMachines  # noqa: E402
from labctl.ready import wait_ready  # noqa: E402
from labctl.render.secrets import load_secrets  # noqa: E402
from labctl.topology.lab import Lab  # noqa: E402
from labctl.topology.lock import locked  # noqa: E402
from labctl.topology.workdir import Workdir  # noqa: E402
from provision.facts import parse_facts, render_questions, script  # noqa: E402
from provision.manifest import load_manifest  # noqa: E402
from provision.plan import make_plan  # noqa: E402

LAB = "benchmark-playbook"
BOOK = Path(__file__).resolve().parent / "ansible"
ENVIRONMENT = ROOT / ".lab" / "benchmarks" / "ansible-env"
READY_SECONDS = 120.0
AIM = 0.2
"""labctl in a fifth of the time."""

FIND_PYTHON = "command -v python3 || true"
# What Debian's modules of Python need beyond the base of an image.
GIVE_PYTHON = """
dpkg-query -L python3 python3-minimal python3.13 python3.13-minimal libpython3.13-minimal \
    libpython3.13-stdlib libexpat1 libffi8 libsqlite3-0 media-types 2>/dev/null | sort -u |
    while IFS= read -r path; do [ -d "$path" ] && [ ! -L "$path" ] || echo "$path"; done |
    tar -c -z -T - -f - 2>/dev/null | base64 -w0
"""


def ansible() -> Path:
    """The playbook's interpreter, in an environment that is made if it is missing."""
    return ensure_program(ENVIRONMENT, "ansible-playbook", ("-r", BOOK / "requirements.txt"))


def render_template(text: str, values: Mapping[str, str]) -> str:
    """A text as a template: what would open an expression is escaped, values become variables."""
    for opening in ("{{", "{%", "{#"):
        text = text.replace(opening, f"\0{opening}\1")
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"\2{name}\3")
    text = text.replace("\0", "{{ '").replace("\1", "' }}")
    return text.replace("\2", "{{ ").replace("\3", " }}")


def values_of(lab: Lab) -> dict[str, str]:
    """What differs between labs, by the name of the playbook's variable."""
    secrets = load_secrets(lab.folder)
    vnodes = {f"vnode_password_{name}": it for name, it in secrets.vnode_passwords.items()}
    return {
        "domain": lab.topology.domain,
        "jms_address": str(lab.topology.jms.address),
        "focus_password": secrets.focus_password,
        "jvb_password": secrets.jvb_password,
        **vnodes,
    }


def save_inventory(lab: Lab, folder: Path) -> Path:
    """The templates of each node, and an inventory with its variables."""
    values, groups = values_of(lab), dict[str, dict[str, object]]()
    for node in lab.topology.nodes:
        files, texts = lab.folder.tree / node.name / "files", folder / node.name
        for path in (path for path in files.rglob("*") if path.is_file()):
            target = texts / path.relative_to(files)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(render_template(path.read_text(), values), encoding="utf-8")
        host = {"texts": str(texts), "vnodes": [vnode.name for vnode in node.vnodes]}
        groups.setdefault(str(node.role), {})[node.name] = host
    auth = f"auth.{lab.topology.domain}".replace(".", "%2e")
    shared = {
        **values,
        "ansible_ssh_common_args": f"-F {lab.folder.ssh_config}",
        "prosody_accounts": f"/var/lib/prosody/{auth}/accounts",
    }
    children = {name: {"hosts": hosts} for name, hosts in groups.items()}
    # A host and a group are both called 'jms'; Ansible only warns of that.
    text = json.dumps({"all": {"vars": shared, "children": children}})
    file = folder / "inventory.json"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def run_playbook(inventory: Path) -> float:
    """Seconds that the playbook took.  Errors: LabError with what it said."""
    os.environ.update(
        ANSIBLE_CONFIG=str(BOOK / "ansible.cfg"),
        ANSIBLE_HOME=str(inventory.parent / "home"),
        ANSIBLE_INVENTORY_UNPARSED_FAILED="True",
        LC_ALL="C.UTF-8",
    )
    return run_timed([ansible(), "-i", inventory, BOOK / "site.yml"])[0]


def give_python(lab: Lab) -> None:
    """Python on every node, as far as an image has none."""
    nodes = reach(lab)
    packed = ""
    for node in lab.topology.nodes:
        if nodes.run(node.name, ShellScript(FIND_PYTHON)).output.strip():
            continue
        packed = packed or nodes.run(lab.topology.jms.name, ShellScript(GIVE_PYTHON)).output
        unpack = ShellScript("base64 -d | tar -x -z -C / -f - --skip-old-files && ldconfig")
        nodes.run(node.name, unpack, sudo=True, stdin=packed)


def differences(lab: Lab) -> Iterator[str]:
    """What of labctl's manifests is not so on the nodes, in words."""
    for node in lab.topology.nodes:
        manifest = load_manifest(lab.folder.tree / node.name / "manifest.json", node=node.name)
        ask = script("inspect")
        answer = reach(lab).run(node.name, ask, sudo=True, stdin=render_questions(manifest))
        plan = make_plan(manifest, parse_facts(answer.sections, manifest=manifest))
        wrong = [*(it.path for it in (*plan.write, *plan.dirs)), *plan.links, *plan.remove]
        wrong += [*plan.enable, *(name for it in plan.stages.values() for name in it.start)]
        yield from (f"{node.name}: {what}" for what in wrong)


def labctl(*words: str) -> tuple[float, str]:
    return run_timed([sys.executable, "-m", "labctl", *words, "--lab", LAB])


def by_labctl(results: Results, shape: list[str]) -> None:
    seconds, out = labctl("up", *shape, "--json")
    phases = json.loads(out)["seconds"]
    results.note("labctl up", seconds)
    results.note("labctl: provisioning", phases["provision"])
    results.note("labctl: nothing to do", labctl("up", *shape, "--json")[0])
    print(
        f"labctl    up {seconds:.1f} s, of it provisioning {phases['provision']:.1f} s", flush=True
    )


def by_playbook(results: Results, folder: Path) -> None:
    lab = Lab.load(Workdir.of(LAB))
    with locked(lab.folder, what="benchmark"):
        machines = Results("")
        with machines.timed("machines"):
            VagrantMachines(lab).up()
        ensure_config(lab)
        give_python(lab)
        close_masters(lab.folder)
        ensure_config(lab)
        inventory = save_inventory(lab, folder)
        book = results.note("playbook", run_playbook(inventory))
        with machines.timed("ready"):
            wait_ready(lab, seconds=READY_SECONDS, progress=lambda *_, **__: None)
        if wrong := list(differences(lab)):
            raise LabError(f"The playbook's end state is another one: {', '.join(wrong)}")
        results.note("playbook: nothing to do", run_playbook(inventory))
    rest = machines.median("machines") + machines.median("ready")
    results.note("machines, playbook, ready", rest + book)
    print(
        f"playbook  {book:.1f} s, machines and ready {rest:.1f} s; end states are equal", flush=True
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="rounds")
    parser.add_argument("--jvbs", type=int, default=2)
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--network", default="192.168.56.0/24", help="of the lab")
    add_options(parser)
    options = parser.parse_args()
    shape = [
        *("--jvbs", str(options.jvbs), "--visitors", str(options.visitors)),
        *("--packages", "stand-ins", "--network", options.network),
    ]
    ansible()
    results = Results("playbook")
    try:
        # Bakes what is missing, so that no round does.
        labctl("up", *shape)
        for _ in range(options.runs):
            labctl("down")
            by_labctl(results, shape)
            labctl("down")
            with tempfile.TemporaryDirectory(prefix="labctl-playbook-") as folder:
                by_playbook(results, Path(folder))
    finally:
        destroy = [sys.executable, "-m", "labctl", "destroy", "--yes", "--lab", LAB]
        subprocess.run(destroy, cwd=ROOT, capture_output=True, check=False)
    for name, over, under in (
        ("provisioning: labctl / playbook", "labctl: provisioning", "playbook"),
        ("whole: labctl / playbook", "labctl up", "machines, playbook, ready"),
        ("nothing to do: labctl / playbook", "labctl: nothing to do", "playbook: nothing to do"),
    ):
        results.ratio(name, over=over, under=under, aim=AIM)
    return results.end(options)


if __name__ == "__main__":
    sys.exit(main())
