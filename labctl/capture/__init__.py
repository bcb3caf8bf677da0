"""Packets of a lab's nodes, recorded into one file that Wireshark reads."""
