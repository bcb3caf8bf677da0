"""A running lab as it is now: asked again and again, as values, and as a page."""
