"""The contract: what can be observed of a package, as data, and whether a lab's packages keep it.

The tables are `standins/contract/*.toml`.  `table` reads them, `probe` asks the nodes, `talk` holds
a short conference, `differences` compares (no I/O), `check` does all of this for a lab, `report`
puts the result into words, and `pairs` says which stand-in was run against which original.
"""
