"""Arguments that functions of directions, packings and reading take."""

from fractions import Fraction

import numpy as np

import superscale as ss

from .made import SAMPLE, W, ask_posterior, complex_packing, model, packing_file, posterior, words


def entries(folder):
    """Return each function with arguments that it takes; ``folder`` has room for files."""
    relu = ss.packings.ReluPotential(Fraction(1), Fraction(-1, 10))
    overlap = ss.directions.RandomOverlap(5)
    edges = np.array([[0, 1], [0, 2], [1, 3]])
    codes = np.eye(4) + 0.1
    reading = {"n": 40, "active": 2, "readout": "top_k", "codes": "random", "noise": 0.1}
    search = {"strengths": [1, 3], "n": 20, "threshold": 0.5, "codes": "random"}
    return {
        "directions.spectrum": (ss.directions.spectrum, {"W": W, "center": False}),
        "directions.Spectrum.share": (ss.directions.spectrum(W).share, {"k": 2}),
        "directions.feature_dimensionalities": (ss.directions.feature_dimensionalities, {"W": W}),
        "directions.random_overlaps": (ss.directions.random_overlaps, {
            "n": 6, "m": 3, "repeats": 2, "seed": 0, "thresholds": (0.0,)}),
        "directions.mean_square_overlap": (ss.directions.mean_square_overlap, {"W": W}),
        "directions.RandomOverlap": (ss.directions.RandomOverlap, {"m": 5}),
        "directions.RandomOverlap.pdf": (overlap.pdf, {"t": np.array([0.0, 0.5])}),
        "directions.RandomOverlap.survival": (overlap.survival, {"t": np.array([0.0, 0.5])}),
        "directions.RandomOverlap.one_sided_moment": (overlap.one_sided_moment, {"h": 0.1}),
        "directions.RandomOverlap.expected_maximum": (overlap.expected_maximum, {
            "n": 9, "absolute": True, "pairs": None}),
        "directions.frame_capacity": (ss.directions.frame_capacity, {"m": np.array([3, 4])}),
        "directions.welch_mean_square": (ss.directions.welch_mean_square, {
            "n": np.array([9, 10]), "m": np.array([3, 4])}),
        "packings.bracket_loss": (ss.packings.bracket_loss, {
            "n": 9, "m": [3], "r": 1.0, "b": 0.0, "seed": 0, "density": 0.1, "steps": 4,
            "batch": 8, "progress": None}),
        "packings.construct": (ss.packings.construct, {"n": 6, "m": 3}),
        "packings.LineSystem.exact_overlap": (ss.packings.construct(6, 3).exact_overlap, {
            "i": 0, "j": 1}),
        "packings.pack": (ss.packings.pack, {
            "n": 6, "m": 3, "objective": "coherence", "seed": 0, "starts": 1, "seconds": 0.2,
            "target": None, "explicit": False, "p": 4.0, "features": None, "r": 1.0, "b": 0.0,
            "progress": None}),
        "packings.pack_complex": (ss.packings.pack_complex, {
            "n": 5, "d": 2, "seed": 0, "starts": 1, "seconds": 0.1}),
        "packings.ComplexPacking.from_text": (ss.packings.ComplexPacking.from_text, {
            "text": "1\n0\n0\n1\n0\n0\n0\n0\n", "d": 2}),
        "packings.ComplexPacking.save": (complex_packing().save, {"path": folder / "c.txt"}),
        "packings.complex_bounds": (ss.packings.complex_bounds, {"n": 5, "d": 2}),
        "packings.coherence_enclosure": (ss.packings.coherence_enclosure, {
            "vectors": np.eye(3), "imaginary": np.eye(3), "digits": 20}),
        "packings.Packing.save": (ss.packings.pack(6, 3).save, {"path": folder / "lines.npz"}),
        "packings.Packing.load": (ss.packings.Packing.load, {"path": packing_file(folder)}),
        "packings.PowerPotential": (ss.packings.PowerPotential, {"k": 4}),
        "packings.ReluPotential": (ss.packings.ReluPotential, {
            "g": Fraction(1), "b": Fraction(-1, 10)}),
        "packings.certify_energy": (ss.packings.certify_energy, {
            "n": 9, "m": 3, "potential": relu, "degree": 6}),
        "packings.certify_packing": (ss.packings.certify_packing, {
            "n": 9, "m": 3, "kind": "lines", "degree": 6}),
        "packings.bound_one_active_loss": (ss.packings.bound_one_active_loss, {
            "n": 9, "m": 3, "r": 1.0, "b": 0.0, "degree": 6, "tolerance": 1e-3}),
        "packings.bounds": (ss.packings.bounds, {"n": 9, "m": 3, "kind": "lines", "degree": 6}),
        "packings.equiangular_conditions": (ss.packings.equiangular_conditions, {"n": 6, "m": 3}),
        "packings.frame_potential": (ss.packings.frame_potential, {"n": 6, "m": 3}),
        "reading.SupportPosterior": (ask_posterior, {
            "W": W[:5], "active": 2, "noise": 0.5, "p": 0.2}),
        **{f"reading.SupportPosterior.{name}": (getattr(posterior(), name), {"h": W[:2]})
           for name in ("marginals", "most_likely", "probabilities")},
        "reading.SupportPosterior.probability_of": (posterior().probability_of, {
            "h": W[:2], "read": posterior().most_likely(W[:2])}),
        "reading.asymptotic_width": (ss.reading.asymptotic_width, {
            "n": 40, "active": 3, "t": 1, "r": 2, "threshold": "best"}),
        "reading.recall_combinations": (ss.reading.recall_combinations, {
            "n": 40, "m": 30, "active": 3, "t": 1, "r": 2, "threshold": "best", "samples": 8,
            "seed": 0}),
        "reading.breadth_first": (ss.reading.breadth_first, {
            "edges": edges, "n": 4, "root": 0, "steps": 2}),
        "reading.search_strengths": (ss.reading.search_strengths, {
            "edges": edges, "n": 4, "root": 0, "steps": 2}),
        "reading.search_graph": (ss.reading.search_graph, {
            "edges": edges, "codes": codes, "root": 0, "steps": 2, "threshold": 0.5,
            "beta": None}),
        "reading.decode": (ss.reading.decode, {
            "W": W[:6], "h": W[:2], "active": 2, "readout": "top_k", "noise": 0.1,
            "threshold": 0.5}),
        "reading.compare_readouts": (ss.reading.compare_readouts, {
            "W": W[:6], "active": 2, "noise": 0.1, "samples": 5,
            "readouts": ["top_k", "posterior"], "threshold": 0.5, "seed": 0}),
        "reading.detection_rates": (ss.reading.detection_rates, {
            "model": model(), "features": words(), "threshold": 0.25, "samples": 20, "seed": 0}),
        "reading.error_rates": (ss.reading.error_rates, {
            "W": W, "active": 2, "threshold": 0.5, "noise": 0.1, "method": "sampling",
            "normalize": True, "transpose": False, "samples": 20, "seed": 0}),
        "reading.worst_case_active": (ss.reading.worst_case_active, {
            "W": W, "normalize": True, "transpose": False, "limit": None}),
        "reading.draw_bars": (ss.reading.draw_bars, {
            "samples": 4, "size": 3, "p": 0.2, "weight": 10.0, "noise": 2.0, "model": "binary",
            "seed": 0}),
        "reading.learn_directions": (ss.reading.learn_directions, {
            "states": SAMPLE[:8], "count": 3, "model": "binary", "candidates": None,
            "most_on": None, "iterations": 2, "temperature": 1.5, "starts": 1, "seed": 0}),
        "reading.match_directions": (ss.reading.match_directions, {
            "found": W[:3], "true": W[1:3]}),
        "reading.overlap_law": (ss.reading.overlap_law, {"blocks": 3, "units": 4}),
        "reading.union_law": (ss.reading.union_law, {"units": 4, "active": 2}),
        "reading.false_match": (ss.reading.false_match, {
            "blocks": 3, "units": 4, "active": 2, "least": None}),
        "reading.frontier_mass": (ss.reading.frontier_mass, {
            "n": 20, "active": 2, "m": 16, "beta": 3.0, "codes": "random"}),
        "reading.search_success": (ss.reading.search_success, {**search, "m": 40}),
        "reading.search_width": (ss.reading.search_width, {**search, "error": 0.3}),
        "reading.guaranteed_active": (ss.reading.guaranteed_active, {"coherence": 0.1}),
        "reading.most_active": (ss.reading.most_active, {"n": 40, "m": 4}),
        "reading.recall": (ss.reading.recall, {
            **reading, "m": 30, "strengths": np.array([1.0, 2.0]), "threshold": None,
            "blocks": None}),
        "reading.required_width": (ss.reading.required_width, {
            **reading, "error": 0.3, "strengths": np.array([1.0, 2.0])}),
        "reading.max_active": (ss.reading.max_active, {
            "n": 40, "m": 30, "error": 0.1, "readout": "top_k", "codes": "random",
            "noise": 0.1, "blocks": None}),
        "reading.read_tokens": (ss.reading.read_tokens, {
            "source": W, "error": 0.4, "remove": 1, "counts": np.arange(12.0, 0, -1),
            "rows": np.arange(12), "tensor": None, "transpose": False, "samples": 4, "seed": 0}),
    }  # fmt: skip
