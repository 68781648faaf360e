"""Recipes: named values of the training settings.

"paper" is the published procedure; "fast" ends at a lower loss in a small part of the time;
"converged" begins as "fast" does and goes on (``empirical.training.convergence``) until more steps
gain nothing. A setting that is given to ``train`` takes precedence over the recipe's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Decay rates of Adam's moments and its epsilon: those of the published recipe, and Adam's own.
BETAS, EPS = (0.9, 0.999), 1e-8

# Found by measurement: studies/training/recipes.py.
_FAST: Mapping[str, Any] = MappingProxyType(
    {
        "bias_start": "zero",
        "batch": 64,
        "late_batch": 256,
        "late_fraction": 0.5,
        "rare_share": 0.75,
        "steps": 24_000,
        "learning_rate": 1e-2,
        "final_learning_rate": 0.0,
    }
)

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # arXiv 2505.10465, appendix B, small models.
        "paper": MappingProxyType(
            {
                "bias_start": "normal",
                "batch": 2048,
                "steps": 20_000,
                "learning_rate": 1e-2,
                "final_learning_rate": 0.05,
                "late_fraction": 0.0,
                "rare_share": 0.0,
            }
        ),
        "fast": _FAST,
        "converged": _FAST,
    }
)
