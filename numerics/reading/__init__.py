"""What can be read from a superposed state with the rows of a given matrix: guarantees and rates.

``worst_case`` says how many active items every support is read for, ``error_rates`` how often
scores err on average, ``readouts`` compares decoders (top-k, thresholds, ReLU, matching pursuit,
lasso, the posterior), ``detectors`` treats a toy model as a detector of its features, and
``graph_search`` searches a graph in a superposed state. Start with ``worst_case``.
"""
