"""The rows that cleanlab takes for label issues, for label_noise.lua.

usage: python spec/peers/label_noise.py PROBABILITIES.csv FILTER [stable]

A line of the file is a row's class and its probabilities. Prints the rows'
numbers, from 0, those of the least self-confidence first. `stable`: with sorts
that leave equal ones in their order. Without, which of equal ones are found
depends on the processor that NumPy sorts with: of many classes a few rows.
"""

import sys

import numpy
from cleanlab.filter import find_label_issues

if "stable" in sys.argv[3:]:
    argsort = numpy.argsort
    numpy.argsort = lambda values, *_, **__: argsort(values, kind="stable")

table = numpy.loadtxt(sys.argv[1], delimiter=",")
print(*find_label_issues(
    table[:, 0].astype(int), table[:, 1:], filter_by=sys.argv[2],
    return_indices_ranked_by="self_confidence", n_jobs=1))
