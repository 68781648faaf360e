from numerics.dependent.mean_field import FirstOrderLoss as FirstOrderLoss
from numerics.dependent.mean_field import first_order_loss as first_order_loss
from theory.dependence.forest import Forest as Forest
from theory.dependence.samples import SampleFit as SampleFit
from theory.dependence.samples import fit_samples as fit_samples
