"""What labctl placed against what the packages generated, compared by meaning.

A candidate whose defaults changed shows here: labctl's own whole files would otherwise hide it.
Readers turn each kind of file into sections of settings; one comparison serves them all.
"""
