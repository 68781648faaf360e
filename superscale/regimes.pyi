from theory.regimes.equiangular import equiangular_loss as equiangular_loss
from theory.regimes.one_active import interference_loss as interference_loss
from theory.regimes.one_active import self_loss as self_loss
from theory.regimes.weak import lost_loss as lost_loss
from theory.regimes.weak import tail_loss as tail_loss
from theory.regimes.weak import weak_exponent as weak_exponent
from theory.regimes.weak import weak_loss as weak_loss
