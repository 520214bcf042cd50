"""What the facts of a host mean for a lab: pure functions from facts to findings."""
