"""Names for containers that were given none: an adjective and someone from the history of science."""

import os

_ADJECTIVES = (
    "able", "agile", "amber", "apt", "bold", "brave", "bright", "brisk", "calm", "candid", "clever", "cosmic", "crisp",
    "curious", "deft", "eager", "earnest", "exact", "fair", "fluent", "gentle", "golden", "happy", "honest", "humble",
    "jolly", "keen", "kind", "lively", "lucid", "mellow", "merry", "modest", "noble", "novel", "patient", "placid",
    "polite", "proud", "quick", "quiet", "radiant", "ready", "serene", "sharp", "silent", "smart", "solid", "steady",
    "subtle", "sunny", "swift", "tender", "tidy", "upbeat", "vivid", "warm", "wise", "witty", "zesty",
)  # fmt: skip
_PEOPLE = (
    "abel", "ampere", "archimedes", "banach", "bayes", "bohr", "boole", "born", "cantor", "cauchy", "curie", "dirac",
    "einstein", "erdos", "euclid", "euler", "faraday", "fermat", "fermi", "feynman", "fisher", "fourier", "franklin",
    "galileo", "galois", "gauss", "germain", "goedel", "hamilton", "herschel", "hilbert", "hopper", "hypatia", "kepler",
    "khayyam", "kolmogorov", "kovalevskaya", "lagrange", "laplace", "leibniz", "lovelace", "markov", "maxwell",
    "meitner", "mendel", "minsky", "mirzakhani", "neumann", "newton", "noether", "pascal", "pasteur", "poincare",
    "ramanujan", "riemann", "rosenblatt", "shannon", "tesla", "turing", "volta", "wiener", "wu", "yukawa",
)  # fmt: skip


def invent_name(attempt: int = 0) -> str:
    """A random name like `curious_noether`; from the second attempt on with a digit behind it."""
    first, second, third = os.urandom(3)
    name = f"{_ADJECTIVES[first % len(_ADJECTIVES)]}_{_PEOPLE[second % len(_PEOPLE)]}"
    return f"{name}{third % 10}" if attempt else name
