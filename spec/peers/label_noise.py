"""The rows that cleanlab takes for label issues, for label_noise.lua.

usage: python spec/peers/label_noise.py PROBABILITIES.csv FILTER

A line of the file is a row's class and its probabilities. Prints the rows'
numbers, from 0, those of the least self-confidence first.
"""

import sys

import numpy
from cleanlab.filter import find_label_issues

table = numpy.loadtxt(sys.argv[1], delimiter=",")
print(*find_label_issues(
    table[:, 0].astype(int), table[:, 1:], filter_by=sys.argv[2],
    return_indices_ranked_by="self_confidence", n_jobs=1))
