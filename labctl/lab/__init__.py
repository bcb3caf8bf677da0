"""What is done with a lab as a whole: plan, bring up, look, stop.  No printing here."""
