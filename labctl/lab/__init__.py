"""Operations on a whole lab: plan, bring up, inspect, stop.  Nothing here prints."""
