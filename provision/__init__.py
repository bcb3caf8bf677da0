"""Provisioning: brings the nodes of a lab to what their manifests say.

Runs as a process of its own (`python -m provision.run`, with LABCTL_WORKDIR naming the lab's
directory), because pyinfra patches sockets for the whole process.  Never imports labctl: what it
knows of a lab is `topology.json`, the ssh keys and `tree/<node>/`.

The roles of a lab differ only in their manifests, so there is one deploy for all of them and no
module per role:

    inventory   nodes and how to reach them
    manifest    what a node shall look like, checked
    facts       what a node looks like: one command per node
    plan        the difference of the two, pure
    operations  pyinfra operations that apply a plan: few and large
    deploy      their order; every stage is a barrier over all nodes
    run         the process: JSON lines on standard output
    node/*.sh   what runs on a node, POSIX sh, as root; data only on standard input
"""
