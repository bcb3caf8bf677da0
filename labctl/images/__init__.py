"""Images, one per role: their packages, their Debian, and how they are baked, named and kept."""
