// Losses in closed form, as the Python package computes them (theory/regimes, theory/sums.py).
//
// A setting is {law, parameter, n, density}: law "power_law" (parameter alpha), "exponential"
// (parameter: the scale s in ranks) or "linear". A result is {loss, exponent}, the exponent being
// -d ln L / d ln m; both are NaN where a theory has none.
"use strict";

const NONE = { loss: NaN, exponent: NaN };

// B_2j(1/2) / (2j)! of the midpoint Euler-Maclaurin formula, j = 1 ... 7.
const MIDPOINT = [
  -1 / 24, 7 / 5760, -31 / 967680, 127 / 154828800, -73 / 3503554560,
  1414477 / 2678117105664000, -8191 / 612141052723200,
];
const DIRECT = 16; // terms added directly before the formula

function corrections(s, x) {
  let total = 0;
  let rising = s;
  for (let j = 1; j <= MIDPOINT.length; j += 1) {
    total += MIDPOINT[j - 1] * rising * x ** (1 - s - 2 * j);
    rising *= (s + 2 * j - 1) * (s + 2 * j);
  }
  return total;
}

// Sum of i^-s over i = a, a + 1, ..., b.
function powerSum(s, a, b) {
  let total = 0;
  for (let k = 0; k < DIRECT && a + k <= b; k += 1) total += (a + k) ** -s;
  if (a + DIRECT > b) return total;
  const low = a + DIRECT - 0.5;
  const high = b + 0.5;
  const log = Math.log1p((high - low) / low);
  const x = (1 - s) * log;
  const integral = low ** (1 - s) * log * (x === 0 ? 1 : Math.expm1(x) / x);
  return total + integral + corrections(s, low) - corrections(s, high);
}

// s times the sum of i^-(s+1) from a to infinity: minus the derivative of powerSum by a.
function powerSlope(s, a) {
  let head = 0;
  for (let k = 0; k < DIRECT; k += 1) head += (a + k) ** (-s - 1);
  const low = a + DIRECT - 0.5;
  return s * (head + corrections(s + 1, low)) + low ** -s;
}

// Sums over ranks above m of the weights (power 1) or their squares (power 2), and their
// derivatives by m. The first rank of an exponential law has weight 1.
function tail({ law, parameter, n }, power, m) {
  if (law === "power_law") {
    const s = power * parameter;
    return { sum: powerSum(s, m + 1, n), slope: -powerSlope(s, m + 1) };
  }
  if (law === "exponential") {
    const rate = power / parameter;
    const unit = -Math.expm1(-rate);
    return {
      sum: (-Math.exp(-rate * m) * Math.expm1(-rate * (n - m))) / unit,
      slope: (-rate * Math.exp(-rate * m)) / unit,
    };
  }
  const k = n - m;
  return power === 1
    ? { sum: (k * (k + 1)) / 2, slope: -(2 * k + 1) / 2 }
    : { sum: (k * (k + 1) * (2 * k + 1)) / 6, slope: -(6 * k * k + 6 * k + 1) / 6 };
}

// The largest density at which p_1 <= 1.
function largestDensity(setting) {
  const first = setting.law === "linear" ? setting.n : 1;
  return tail(setting, 1, 0).sum / first;
}

// The m most frequent features are kept, the others lost: 4/3 p_i - p_i^2 each.
function weak(setting, m) {
  const unit = setting.density / tail(setting, 1, 0).sum;
  const mass = tail(setting, 1, m);
  const squares = tail(setting, 2, m);
  const loss = (4 / 3) * unit * mass.sum - unit ** 2 * squares.sum;
  const slope = (4 / 3) * unit * mass.slope - unit ** 2 * squares.slope;
  return { loss, exponent: (-m * slope) / loss };
}

// One active feature, all overlaps equal to kappa, interference just silenced.
function silenced(density, square, fall) {
  const kappa = Math.sqrt(square);
  return {
    loss: density * square * (1 + kappa / 3),
    exponent: fall * (1 + kappa / (6 + 2 * kappa)),
  };
}

function equiangular({ n, density }, m) {
  if (m >= n || n > (m * (m + 1)) / 2) return NONE;
  return silenced(density, (n - m) / (m * (n - 1)), n / (n - m));
}

// Overlaps end at h / sqrt(m), h^2 = 2 ln(n/m).
function hardWall({ n, density }, m) {
  if (2 * m >= n) return { loss: 0, exponent: NaN };
  const log = Math.log(n / m);
  if (2 * log >= m) return NONE;
  return silenced(density, (2 * log) / m, 1 + 1 / log);
}

// Published exponents: 1 for even frequencies, 2 (alpha - 1) for power laws with alpha > 1.
function strongEven() {
  return { loss: NaN, exponent: 1 };
}

function strongSkewed({ law, parameter }) {
  if (law !== "power_law" || parameter <= 1) return NONE;
  return { loss: NaN, exponent: 2 * (parameter - 1) };
}
