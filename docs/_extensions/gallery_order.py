"""The order of the gallery: by subject, as listed; an example that is not listed comes last."""

SUBJECTS = {
    "predicted and trained losses": (
        "predicted_and_trained",
        "loss_over_width",
        "exponents_over_alpha",
        "overlap_law",
        "word_frequencies",
    ),
    "weak superposition": (
        "derive_weak_loss",
        "weak_superposition",
        "published_losses",
    ),
    "what training does": (
        "published_mean_field",
        "better_training",
        "dead_features",
        "sweep_phases",
        "loss_parts",
        "feature_dimensionality",
    ),
    "few features, and dependent ones": (
        "pairs_to_pentagon",
        "phase_diagrams",
        "twenty_features",
        "dimensions_per_feature",
        "dependent_features",
        "measured_features",
    ),
    "reading superposed features": (
        "reading_capacity",
        "readouts",
        "graph_search",
    ),
    "directions and their overlaps": (
        "packing_bounds",
        "best_known_packings",
        "energy_certificate",
        "loss_between_bounds",
    ),
    "language models": (
        "unembedding_overlaps",
        "zipf_intervals",
        "fit_language_models",
        "width_depth_tokens",
    ),
}
_PLACES = {
    name: place
    for place, name in enumerate(name for names in SUBJECTS.values() for name in names)
}  # fmt: skip


class BySubject:
    """Sort key of sphinx-gallery: the place of a script, then its name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return "<BySubject>"

    def __call__(self, script: str) -> tuple[int, str]:
        """Return what scripts are sorted by."""
        name = script.removesuffix(".py")
        return _PLACES.get(name, len(_PLACES)), name
