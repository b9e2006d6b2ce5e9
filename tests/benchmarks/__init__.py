"""Benchmarks: each prints ratios against a floor and peers of the same run."""
