"""Provisioning: bring the nodes of a lab to the state that their manifests describe.

A few shell scripts run on the nodes.  They are sent through `labctl.node`, like everything that
labctl runs there.  Roles differ only in their manifests, so no code here depends on a role:

    manifest    the wanted state of a node, checked
    facts       the present state of a node: one script per node
    plan        the difference of the two, pure
    archive     a plan and its files as the data of one script
    phases      the scripts that apply plans, in order: few and large
    run         a run: nodes wait for each other only where one needs what another has started
    fresh       a plan for a node that places its files by itself, as files
    outcome     what a run did, as values and in words
    problem     why a run failed
    explain     from a script's output to a problem
    node/*.sh   what runs on a node, POSIX sh, as root; data only on standard input
"""
