"""Fuzzers of the control API, run by hand for as long as one likes: `./dev fuzz --minutes N`.

What they find becomes a test in tests/api. They need more than the tests do: the extra `fuzz`.
"""
