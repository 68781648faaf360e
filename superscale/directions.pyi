from numerics.ground_state.dimensionality import (
    feature_dimensionalities as feature_dimensionalities,
)
from numerics.overlaps.spectrum import Spectrum as Spectrum
from numerics.overlaps.spectrum import spectrum as spectrum
from numerics.overlaps.statistics import random_overlaps as random_overlaps
from numerics.overlaps.unit_rows import mean_square_overlap as mean_square_overlap
from theory.directions import RandomOverlap as RandomOverlap
from theory.directions import frame_capacity as frame_capacity
from theory.directions import welch_mean_square as welch_mean_square
