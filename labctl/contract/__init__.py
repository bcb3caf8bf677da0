"""The contract: what a package shows of itself, as data, and whether a lab's packages keep to it.

The tables are `standins/contract/*.toml`.  `table` reads them, `probe` asks the nodes, `talk` holds
a short conference, `judge` compares (no I/O), `check` does all that for a lab, `report` puts it
into words, `pairs` says which stand-in has met which original.
"""
