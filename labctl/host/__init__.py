"""The machine that runs labctl: the programs it needs, and the networks it has."""
