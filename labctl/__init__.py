"""labctl: build a multi-node Jitsi lab, prove that it works, break it on purpose."""

__version__ = "0.1.0"
