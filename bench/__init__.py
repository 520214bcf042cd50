"""Benchmarks: each a ratio to a floor that is measured side by side, in the same run."""
