"""The process: `LABCTL_WORKDIR=.lab/<name> python -m provision.run`.

Standard output carries JSON lines (`provision.events`), standard error what pyinfra logs.  Exit
status 0 when every node is as its manifest says, 1 otherwise.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()  # before anything else opens a socket: pyinfra runs the nodes as greenlets

# ruff: noqa: E402
import logging
import os
import sys
from pathlib import Path

from pyinfra.api import Config, Host, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback

from provision.deploy import add_phases, make_plans, outcome
from provision.events import emit_outcome, emit_problem, emit_step
from provision.explain import explain
from provision.inventory import CONNECT_TIMEOUT, SocketOptions, load_nodes, make_inventory
from provision.manifest import load_manifest
from provision.patience import scaled
from provision.plan import Plan
from provision.problem import NodeProblem


class Steps(BaseStateCallback):
    """Tell how connections and phases go."""

    @staticmethod
    def host_before_connect(state: State, host: Host) -> None:
        emit_step(host.name, "connect", "start")

    @staticmethod
    def host_connect(state: State, host: Host) -> None:
        emit_step(host.name, "connect", "ok")

    @staticmethod
    def host_connect_error(state: State, host: Host, error: Exception) -> None:
        emit_step(host.name, "connect", "failed")
        emit_problem(NodeProblem(host.name, "connect", f"It cannot be reached by ssh: {error}."))

    @staticmethod
    def operation_host_error(
        state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        emit_step(host.name, _phase(state, op_hash), "failed")

    @staticmethod
    def operation_host_success(
        state: State, host: Host, op_hash: str, retry_count: int = 0
    ) -> None:
        emit_step(host.name, _phase(state, op_hash), "ok")


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    # What goes wrong with a connection is told once, as a problem.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    workdir = Path(os.environ["LABCTL_WORKDIR"]).resolve()
    try:
        return _provision(workdir)
    except NodeProblem as problem:
        emit_problem(problem)
    return 1


def _provision(workdir: Path) -> int:
    nodes = load_nodes(workdir)
    tree = workdir / "tree"
    manifests = {name: load_manifest(tree / name / "manifest.json", node=name) for name in nodes}
    state = State(
        make_inventory(workdir, nodes),
        Config(FAIL_PERCENT=0, CONNECT_TIMEOUT=scaled(CONNECT_TIMEOUT)),
        check_for_changes=False,  # the plan has seen it all already
    )
    state.add_callback_handler(SocketOptions())
    state.add_callback_handler(Steps())
    try:
        connect_all(state)
    except PyinfraError:
        return 1  # told by host_connect_error, node by node
    looks = make_plans(state, manifests)
    problems = [look for look in looks.values() if isinstance(look, NodeProblem)]
    plans = {name: look for name, look in looks.items() if isinstance(look, Plan)}
    if not problems:
        add_phases(state, plans, tree=tree)
        problems = _apply(state)
    for problem in problems:
        emit_problem(problem)
    disconnect_all(state)
    if problems:
        return 1
    emit_outcome({name: outcome(plan) for name, plan in plans.items()})
    return 0


def _apply(state: State) -> list[NodeProblem]:
    try:
        run_ops(state)
    except PyinfraError:
        return [_problem(state, host) for host in sorted(state.failed_hosts, key=str)]
    return []


def _problem(state: State, host: Host) -> NodeProblem:
    for op_hash, data in state.ops[host].items():
        meta = data.operation_meta
        if meta.is_complete() and meta.did_error():
            lines = [*meta.stdout_lines, *meta.stderr_lines]
            return explain(host.name, _phase(state, op_hash), lines)
    return NodeProblem(host.name, "apply", "The connection was lost.")


def _phase(state: State, op_hash: str) -> str:
    return str(next(iter(state.get_op_meta(op_hash).names)))


if __name__ == "__main__":
    sys.exit(main())
