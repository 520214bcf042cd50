"""Quartet's library: from topology.yml to four running, verified machines."""
