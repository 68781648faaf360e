from empirical.comparisons.figures import Reproduction as Reproduction
from empirical.comparisons.figures import reproduce as reproduce
from empirical.comparisons.published import compare_reference as compare_reference
from empirical.comparisons.published import load_reference as load_reference
from empirical.comparisons.shipped import load_measured as load_measured
