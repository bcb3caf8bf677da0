"""A lab in a folder, for machines that have Vagrant and one provider, and nothing of labctl.

    model       what is in a bundle: its files, its images, the version of every package
    make        from a spec to a bundle, which is complete or not there
    content     its small files: keys, seeds, topology, Vagrantfile, README
    disk        writing to a disk that may be full, read-only, or FAT32
    sbom        the versions as a list of materials in CycloneDX
    verify      whether a bundle is whole

Nodes place their files from their seeds (`provision.fresh`), with the scripts of provisioning.
"""
