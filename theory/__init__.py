"""What the loss of the toy model should be: symbols and formulas, no matrices.

Use ``theory.frequencies`` to say how often features occur, ``theory.registry`` to get every
prediction at once, and the other modules to look inside one of them: ``weak`` and ``strong``
(the two regimes), ``one_active`` (the loss with one active feature), ``directions`` (overlaps of
random and of optimal directions), ``zipf`` (the exponent of counts).
"""

__part_of__ = "superscale"
