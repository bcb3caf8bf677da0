"""Runs the WebdriverIO suite of a checkout of jitsi-meet, or one like it, against a lab.

`suite` reads what stands in the checkout, `needs` checks this machine, `surroundings` describes the
lab in the variables that the suite reads, `run` runs spec by spec, each in a process of its own.
"""
