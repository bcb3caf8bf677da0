"""Compare what labctl placed with what the packages generated, by meaning.

This shows when a candidate's defaults have changed, which labctl's own whole files would hide.
Readers turn each kind of file into sections of settings; one comparison works for all of them.
"""
