"""Benchmarks: `make bench` runs them and writes bench/*.csv; they measure and never pass or fail."""
