"""Which features are on together: a forest of categorical variables; start with ``forest``.

``structures`` builds the forests of exclusive sets, hierarchies, topics and common causes;
``chow_liu`` fits the most likely one to a sample of activations, and ``samples`` reads such a
sample.
"""
