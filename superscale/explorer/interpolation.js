// Mean-field losses between solved settings: Gaussian-process regression on losses and gradients.
//
// TABLE.laws[law] holds what studies/explorer/table.py computed: the solved settings as rows of raw
// coordinates (parameter, ln n, ln E, ln m), the matrix that maps raw coordinates to those of the
// kernel, weights of the values and of the gradients, and coefficients of a quadratic trend.
//   f(x) = trend(x) + sum_i k(r_i) w_i + sum_i g(r_i) (x - x_i) . v_i,   r_i = |x - x_i|
// with the Matern kernel k of order 5/2, whose derivative by x_i is g(r_i) (x - x_i).
// f is ln L; of power laws it is ln L over the simple loss (simpleLoss below).
"use strict";

const ROOT5 = Math.sqrt(5);

function rawCoordinates(law, setting, m) {
  const { parameter, n, density } = setting;
  const shape = { power_law: parameter, exponential: Math.log(n / parameter), linear: 0 }[law];
  return [shape, Math.log(n), Math.log(density), Math.log(m)];
}

function mapped(table, raw) {
  return table.map.map((row) => row.reduce((sum, a, k) => sum + a * (raw[k] - table.center[k]), 0));
}

// Points of the solved settings in the coordinates of the kernel, computed once.
function prepare(table) {
  if (!table.points) table.points = table.settings.map((raw) => mapped(table, raw));
  return table;
}

// ln of E times the share of activity beyond m, times 1 - 2m/n; its derivative by ln m.
function simpleLoss(setting, m) {
  const rest = tail(setting, 1, m);
  const share = rest.sum / tail(setting, 1, 0).sum;
  const left = 1 - (2 * m) / setting.n;
  return { value: Math.log(setting.density * share * left),
    slope: (m * rest.slope) / rest.sum - (2 * m) / setting.n / left };
}

// Value of one interpolated quantity and its derivative by ln m.
function interpolate(table, quantity, raw) {
  const { trend, values, gradients } = prepare(table)[quantity];
  const x = mapped(table, raw);
  const d = x.length;
  const along = table.map.map((row) => row[3]); // d x / d ln m
  let value = trend[0];
  let slope = 0;
  let term = 1;
  for (let i = 0; i < d; i += 1, term += 1) {
    value += trend[term] * x[i];
    slope += trend[term] * along[i];
  }
  for (let i = 0; i < d; i += 1) {
    for (let j = i; j < d; j += 1, term += 1) {
      value += trend[term] * x[i] * x[j];
      slope += trend[term] * (along[i] * x[j] + x[i] * along[j]);
    }
  }
  table.points.forEach((point, i) => {
    let square = 0;
    let across = 0; // (x - x_i) . along
    let inner = 0; // (x - x_i) . v_i
    let turned = 0; // along . v_i
    for (let k = 0; k < d; k += 1) {
      const difference = x[k] - point[k];
      const v = gradients.length ? gradients[i][k] : 0;
      square += difference * difference;
      across += difference * along[k];
      inner += difference * v;
      turned += along[k] * v;
    }
    const r = Math.sqrt(square);
    const decay = Math.exp(-ROOT5 * r);
    const g = (5 / 3) * (1 + ROOT5 * r) * decay;
    value += (1 + ROOT5 * r + (5 / 3) * square) * decay * values[i] + g * inner;
    slope += -g * across * values[i] + g * turned - (25 / 3) * decay * across * inner;
  });
  return { value, slope };
}
