// The page: settings, curves, table of numbers, links and code to copy.
"use strict";

const THEORIES = [
  ["mean_field", "overlaps, norms and biases at their best in m dimensions, solved; no constant is fitted"],
  ["weak", "the m most frequent features are kept, the others lost; exact"],
  ["equiangular", "all |overlaps| equal, one active feature at a time; interference silenced"],
  ["hard_wall", "overlaps end at √(2 ln(n/m)/m), one active feature at a time"],
  ["strong_even", "published exponent 1 (no loss: drawn through the mean field at m)"],
  ["strong_skewed", "published exponent 2(α − 1) for α > 1 (no loss: drawn likewise)"],
];
const CLOSED = { weak, equiangular, hard_wall: hardWall, strong_even: strongEven,
  strong_skewed: strongSkewed };
const SLOPES = ["strong_even", "strong_skewed"];
const SYMBOLS = { solved: "dot", published: "circle", published_weak: "circle", paper: "square", fast: "diamond",
  converged: "diamond" };
const PARAMETER = { power_law: "alpha", exponential: "scale" };
const START = { law: "power_law", alpha: 1, scale: 200, n: 1000, density: 1, m: 25 };

const state = { ...START, hidden: new Set(["hard_wall"]) };
const byId = (id) => document.getElementById(id);

// ---- settings ------------------------------------------------------------------------------

// Ranges of the page; those of the mean field's table are narrower.
function limits(of) {
  const { n } = of;
  const densest = Math.min(8, largestDensity(settingOf(of)));
  return {
    alpha: [0, 2.5],
    scale: [Math.max(5, n / 40), n],
    n: [100, 100000],
    density: [0.03, Math.floor(densest * 1e5) / 1e5],
    m: [Math.max(4, Math.round(0.1 * Math.sqrt(n))), Math.floor(n / 4)],
  };
}

// Whether a setting and width lie in the ranges of the table.
function isTabulated({ law, parameter, n, density }, m) {
  const box = TABLE.laws[law].box;
  const inside = (value, [low, high]) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const shape = { power_law: parameter, exponential: n / parameter, linear: 0 }[law];
  const limit = box.largest_p * largestDensity({ law, parameter, n });
  const widest = Math.min(n / box.n_over_m,
    law === "exponential" ? box.m_over_scale * parameter : Infinity);
  return inside(n, box.n) && inside(density, box.density) && density <= limit
    && (box.shape === null || inside(shape, box.shape))
    && inside(m, [Math.max(box.least_m, box.m_over_root_n * Math.sqrt(n)), widest]);
}

function settingOf({ law, alpha, scale, n, density }) {
  const parameter = { power_law: alpha, exponential: scale, linear: 0 }[law];
  return { law, parameter, n, density };
}

// Interpolated; NaN outside the ranges of the table.
function predictMeanField(setting, m) {
  if (!isTabulated(setting, m)) return { ...NONE, live: NaN };
  const table = TABLE.laws[setting.law];
  const raw = rawCoordinates(setting.law, setting, m);
  const loss = interpolate(table, "loss", raw);
  if (table.relative) {
    const simple = simpleLoss(setting, m);
    loss.value += simple.value;
    loss.slope += simple.slope;
  }
  return { loss: Math.exp(loss.value), exponent: -loss.slope, live: liveFeatures(table, raw, setting.n) };
}

// The number of live features never falls with m: the largest of those at some smaller widths.
function liveFeatures(table, raw, n) {
  if (!table.live) return NaN;
  const smaller = [0, 0.1, 0.2, 0.4, 0.8].map((step) => [...raw.slice(0, 3), raw[3] - step]);
  const logs = smaller.map((one) => interpolate(table, "live", one).value);
  return n * Math.exp(Math.min(0, Math.max(...logs)));
}

// Every theory's numbers at one setting and width: what the tests compare with Python.
function evaluate(setting, m) {
  const found = { mean_field: predictMeanField(setting, m) };
  for (const [name, f] of Object.entries(CLOSED)) found[name] = f(setting, m);
  return found;
}

const INPUTS = [
  { key: "alpha", label: "α", what: "exponent of p", step: 0.01, laws: ["power_law"] },
  { key: "scale", label: "s", what: "scale, in ranks", digits: 3, laws: ["exponential"] },
  { key: "n", label: "n", what: "features", digits: 2, whole: true },
  { key: "density", label: "E", what: "active at once", digits: 2 },
  { key: "m", label: "m", what: "width", digits: 3, whole: true },
];

// Values that a slider takes: evenly spaced in the logarithm, rounded to few digits.
function sliderValues(input, [low, high]) {
  if (input.step) {
    const count = Math.round((high - low) / input.step);
    return Array.from({ length: count + 1 }, (_, k) => Number((low + k * input.step).toFixed(4)));
  }
  const values = new Set([low, high]);
  for (let k = 1; k < 240; k += 1) {
    const value = Number((low * (high / low) ** (k / 240)).toPrecision(input.digits));
    const rounded = input.whole ? Math.round(value) : value;
    if (rounded > low && rounded < high) values.add(rounded);
  }
  return [...values].sort((a, b) => a - b);
}

function buildInputs() {
  for (const input of INPUTS) {
    const row = document.createElement("div");
    row.className = "input";
    row.id = `row-${input.key}`;
    row.innerHTML = `<label class="name" for="${input.key}"><i>${input.label}</i>
      <small>${input.what}</small></label>
      <input type="number" id="${input.key}" step="any" inputmode="decimal">
      <input type="range" id="${input.key}-slider" min="0" step="1"
        aria-label="${input.label}, ${input.what}">`;
    byId("inputs").append(row);
    const [number, slider] = row.querySelectorAll("input");
    number.addEventListener("change", () => change({ [input.key]: number.valueAsNumber }));
    slider.addEventListener("input", () => {
      change({ [input.key]: input.values[Number(slider.value)] });
    });
  }
}

// Take new values, held to the ranges of the table; say so where one was not allowed.
function change(values) {
  const notices = [];
  const wanted = { ...state, ...values };
  for (const key of ["alpha", "scale", "n", "density", "m"]) {
    // Ranges of later ones depend on earlier ones; n before the scale that it limits.
    const of = key === "scale" ? "n" : key === "n" ? "scale" : key;
    if (of === "scale" && wanted.law !== "exponential") continue;
    const [low, high] = limits(wanted)[of];
    const whole = of === "n" || of === "m";
    let value = Number.isFinite(wanted[of]) ? wanted[of] : state[of];
    if (whole) value = Math.round(value);
    const held = Math.min(high, Math.max(low, value));
    if (held !== value && of in values) {
      const reason = of === "density" && held < 8 && value > held ? " (above, p₁ would exceed 1)" : "";
      notices.push(`${symbolOf(of)} goes from ${short(low)} to ${short(high)} here${reason}.`);
    }
    wanted[of] = of === "density" || of === "scale" ? roundInside(held, low, high) : held;
  }
  Object.assign(state, wanted);
  byId("notice").textContent = notices.join(" ");
  render();
}

function symbolOf(key) {
  return INPUTS.find((input) => input.key === key).label;
}

// Six digits, and still inside.
function roundInside(value, low, high) {
  const rounded = Number(value.toPrecision(6));
  return rounded > high || rounded < low ? value : rounded;
}

function short(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "–";
}

// ---- links ---------------------------------------------------------------------------------

function toHash() {
  const words = [`law=${state.law}`];
  if (PARAMETER[state.law]) words.push(`${PARAMETER[state.law]}=${state[PARAMETER[state.law]]}`);
  words.push(`n=${state.n}`, `density=${state.density}`, `m=${state.m}`);
  words.push(`show=${shown().join(",")}`);
  return `#${words.join("&")}`;
}

function shown() {
  return THEORIES.map(([name]) => name).filter((name) => !state.hidden.has(name));
}

function fromHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const values = {};
  if (Object.hasOwn(TABLE.laws, given.get("law") ?? "")) values.law = given.get("law");
  for (const key of ["alpha", "scale", "n", "density", "m"]) {
    const value = Number(given.get(key));
    if (given.has(key) && Number.isFinite(value)) values[key] = value;
  }
  if (given.has("show")) {
    const names = given.get("show").split(",");
    state.hidden = new Set(THEORIES.map(([name]) => name).filter((name) => !names.includes(name)));
  }
  change(values);
}

// ---- trained models ------------------------------------------------------------------------

function near(a, b) {
  return Math.abs(a - b) <= 1e-3 * Math.abs(b) + 1e-9;
}

function trainedHere() {
  const { law, parameter, n, density } = settingOf(state);
  return TRAINED.filter((one) => one.law === law && one.n === n && near(density, one.density)
    && (law === "linear" || near(parameter, one.parameter)));
}

function buildPresets() {
  const select = byId("preset");
  const seen = new Map();
  for (const one of TRAINED) {
    const key = [one.law, one.parameter, one.n, one.density].join();
    if (!seen.has(key)) seen.set(key, { ...one, sources: [] });
    if (one.kind !== "solved") seen.get(key).sources.push(one.source);
  }
  select.append(new Option("choose …", ""));
  for (const one of seen.values()) {
    if (!one.sources.length) continue;
    const law = { power_law: `α = ${one.parameter}`, exponential: `exponential, s = ${one.parameter}`,
      linear: "linear" }[one.law];
    const sources = [...new Set(one.sources)].join(", ");
    const option = new Option(`${law}, n = ${one.n}, E = ${short(one.density)}: ${sources}`,
      JSON.stringify(one));
    select.append(option);
  }
  select.addEventListener("change", () => {
    if (!select.value) return;
    const one = JSON.parse(select.value);
    const parameter = PARAMETER[one.law] ? { [PARAMETER[one.law]]: one.parameter } : {};
    change({ law: one.law, n: one.n, density: one.density, ...parameter });
  });
}

// ---- drawing -------------------------------------------------------------------------------

function widthsOf([low, high]) {
  return Array.from({ length: 90 }, (_, k) => low * (high / low) ** (k / 89));
}

function curvesOf(setting, widths) {
  const found = widths.map((m) => evaluate(setting, m));
  const anchor = anchorOf(setting);
  return Object.fromEntries(THEORIES.map(([name]) => [name, {
    name,
    losses: widths.map((m, k) => [m, SLOPES.includes(name)
      ? anchor.loss * (anchor.m / m) ** found[k][name].exponent : found[k][name].loss]),
    exponents: widths.map((m, k) => [m, found[k][name].exponent]),
    live: widths.map((m, k) => [m, found[k].mean_field.live]),
  }]));
}

// Where published slopes, which have no height of their own, pass through: the mean field at m, or
// the trained model of the nearest width.
function anchorOf(setting) {
  const { loss } = predictMeanField(setting, state.m);
  if (Number.isFinite(loss)) return { m: state.m, loss };
  const far = ([m]) => Math.abs(Math.log(m / state.m));
  const points = trainedHere().filter(({ kind }) => kind !== "published_weak")
    .sort((a) => (a.kind === "solved" ? -1 : 1)).slice(0, 1).flatMap((one) => one.points).sort((a, b) => far(a) - far(b));
  return points.length ? { m: points[0][0], loss: points[0][1] } : { m: state.m, loss: NaN };
}

const charts = {};

function render() {
  const setting = settingOf(state);
  const range = limits(state);
  showInputs(range);
  const widths = widthsOf(range.m);
  const curves = curvesOf(setting, widths);
  const trained = trainedHere();
  const names = shown();
  drawLosses(range, curves, names, trained);
  drawExponents(range, curves, names);
  drawLive(range, curves);
  showTable(setting, names);
  showMarks(trained);
  showSummary(setting, trained);
  showCopies(setting);
  if (location.hash !== toHash()) history.replaceState(null, "", toHash());
}

function showInputs(range) {
  for (const radio of document.querySelectorAll("input[name=law]")) {
    radio.checked = radio.value === state.law;
  }
  byId("formula").textContent = { power_law: "pᵢ ∝ i⁻ᵅ, Σ pᵢ = E", exponential:
    "pᵢ ∝ exp(−i/s), Σ pᵢ = E", linear: "pᵢ ∝ n + 1 − i, Σ pᵢ = E" }[state.law];
  for (const input of INPUTS) {
    byId(`row-${input.key}`).hidden = input.laws !== undefined && !input.laws.includes(state.law);
    byId(`row-${input.key}`).style.display = byId(`row-${input.key}`).hidden ? "none" : "";
    const slider = byId(`${input.key}-slider`);
    input.values = sliderValues(input, range[input.key]);
    slider.max = input.values.length - 1;
    const place = input.values.findIndex((value) => value >= state[input.key] * (1 - 1e-9));
    slider.value = place < 0 ? input.values.length - 1 : place;
    slider.setAttribute("aria-valuetext", short(state[input.key]));
    const number = byId(input.key);
    [number.min, number.max] = range[input.key];
    number.value = Number(state[input.key].toPrecision(6));
  }
  const preset = byId("preset");
  const here = trainedHere()[0];
  preset.value = here ? [...preset.options].map((option) => option.value).find((value) => {
    if (!value) return false;
    const one = JSON.parse(value);
    return one.law === here.law && one.n === here.n && one.density === here.density
      && one.parameter === here.parameter;
  }) ?? "" : "";
}

function drawLosses(range, curves, names, trained) {
  const drawn = names.map((name) => ({ name, points: curves[name].losses }));
  const solved = trained.find(({ kind }) => kind === "solved");
  if (solved && !curves.mean_field.losses.some(([, loss]) => loss > 0)) {
    drawn.push({ name: "mean_field", points: solved.points });
  }
  const [left, right] = range.m;
  const marks = trained.map((one) => ({ ...one, name: one.kind, symbol: SYMBOLS[one.kind],
    title: one.label, points: one.points.filter(([m]) => m >= left * 0.97 && m <= right * 1.03) }));
  // The range is that of losses: slopes are drawn as far as they go.
  const values = [
    ...drawn.filter(({ name }) => !SLOPES.includes(name)).flatMap(({ points }) => points),
    ...marks.flatMap(({ points }) => points),
  ].map(([, loss]) => loss).filter((loss) => loss > 0);
  charts.loss = drawChart(byId("loss"), {
    x: { log: true, low: left, high: right },
    y: { log: true, low: Math.min(...values) / 1.25, high: Math.max(...values) * 1.25 },
    curves: drawn.reverse(), marks, marker: state.m,
    labels: { x: "width m", y: "loss L, summed over features" },
  });
  byId("loss").setAttribute("aria-label",
    `Loss against width from m = ${left} to ${right}; the table below has the numbers at m = ${state.m}`);
}

function drawExponents(range, curves, names) {
  const drawn = names.map((name) => ({ name, points: curves[name].exponents }));
  const values = drawn.flatMap(({ points }) => points).map(([, y]) => y).filter(Number.isFinite);
  charts.exponent = drawChart(byId("exponent"), {
    x: { log: true, low: range.m[0], high: range.m[1] },
    y: { low: 0, high: Math.min(4, Math.max(2, 1.08 * Math.max(...values, 0))) },
    curves: drawn.reverse(), marks: [], marker: state.m,
    labels: { x: "width m", y: "local exponent" },
  });
  byId("exponent").setAttribute("aria-label", "Local exponent of each theory against width");
}

function drawLive(range, curves) {
  const points = curves.mean_field.live.map(([m, live]) => [m, live / state.n]);
  const known = points.some(([, share]) => Number.isFinite(share));
  byId("live-caption").textContent = `Live features (mean field${known ? "" : ": not tabulated here"})`;
  charts.live = drawChart(byId("live"), {
    x: { log: true, low: range.m[0], high: range.m[1] },
    y: { low: 0, high: 1.05 },
    curves: [{ name: "mean_field", points }], marks: [], marker: state.m,
    labels: { x: "width m", y: "share of the n features" },
  });
  byId("live").setAttribute("aria-label", "Share of features that are represented, against width");
}

function showTable(setting, names) {
  const found = evaluate(setting, state.m);
  byId("theories").caption.textContent = `At m = ${state.m}, n/m = ${short(setting.n / state.m)}`;
  const rows = THEORIES.filter(([name]) => name !== "strong_skewed"
    || Number.isFinite(found[name].exponent));
  const body = byId("theories").tBodies[0];
  const focused = document.activeElement?.dataset?.theory;
  body.replaceChildren(...rows.map(([name, what]) => {
    const row = document.createElement("tr");
    const loss = SLOPES.includes(name) ? "–" : short(found[name].loss);
    row.dataset.name = name;
    row.innerHTML = `<th scope="row"><label><input type="checkbox" data-theory="${name}">
      <svg aria-hidden="true" viewBox="0 0 34 10"><path class="curve ${name}" d="M1,5L33,5"/></svg>
      ${name}</label></th><td class="number">${loss}</td>
      <td class="number">${Number.isFinite(found[name].exponent) ? found[name].exponent.toFixed(2) : "–"}</td>
      <td class="wide">${what}</td>`;
    const box = row.querySelector("input");
    box.checked = names.includes(name);
    box.addEventListener("change", () => {
      state.hidden[box.checked ? "delete" : "add"](name);
      render();
    });
    return row;
  }));
  if (focused) body.querySelector(`[data-theory=${focused}]`)?.focus();
}

function showMarks(trained) {
  byId("marks").replaceChildren(...trained.map((one) => {
    const item = document.createElement("li");
    const svg = element("svg", { viewBox: "0 0 16 14", "aria-hidden": "true" }, item);
    drawSymbol(SYMBOLS[one.kind], 8, 7, element("g", { class: `mark ${one.kind}` }, svg));
    item.append(one.label);
    return item;
  }));
}

// One or two sentences that say what is predicted and how far trained models are from it.
function showSummary(setting, trained) {
  byId("summary").textContent = [sayPrediction(setting), sayTrained(setting, trained)].join(" ");
}

function sayPrediction(setting) {
  const found = predictMeanField(setting, state.m);
  if (!Number.isFinite(found.loss)) {
    return `The mean field is tabulated for ${ranges([setting.law, TABLE.laws[setting.law]])}; `
      + "elsewhere the command below solves it, in seconds.";
  }
  const count = found.live >= 0.98 * setting.n ? `all ${setting.n}`
    : `about ${Number(found.live.toPrecision(2))} of the ${setting.n}`;
  const live = Number.isFinite(found.live) ? `, with ${count} features live` : "";
  return `At m = ${state.m} the mean field predicts a loss of ${short(found.loss)}, falling as `
    + `m to the power −${found.exponent.toFixed(2)}${live}.`;
}

function sayTrained(setting, trained) {
  const best = ["converged", "fast", "paper", "published"]
    .map((kind) => trained.find((one) => one.kind === kind)).find(Boolean);
  if (!best) return "No trained models come with the package at these settings: the list has some.";
  const points = best.points.filter(([m]) => isTabulated(setting, m));
  if (!points.length) return "";
  const errors = points.map(([m, loss]) => loss / predictMeanField(setting, m).loss - 1);
  const worst = errors.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  const percent = Math.abs(100 * worst);
  return `${points.length === 1 ? "The trained model" : `The ${points.length} trained models`} `
    + `(${best.label}) lie${points.length === 1 ? "s" : ""} within `
    + `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} % of it, `
    + `the farthest ${worst > 0 ? "above" : "below"}.`;
}

function showCopies({ law, parameter, n, density }) {
  const named = { power_law: `power_law(n=${n}, alpha=${parameter}`,
    exponential: `exponential(n=${n}, scale=${parameter}`, linear: `linear(n=${n}` }[law];
  const theories = shown().filter((name) => name !== "strong_skewed"
    || (law === "power_law" && parameter > 1));
  const list = theories.map((name) => `"${name}"`).join(", ");
  byId("python").textContent = ["import superscale as ss", "",
    `frequencies = ss.Frequencies.${named}, density=${density})`,
    `prediction = ss.predict(frequencies, m=${state.m}, theory=[${list}])`,
    "print(prediction.to_dataframe())"].join("\n");
  const option = { power_law: ` --alpha ${parameter}`, exponential:
    ` --law exponential --scale ${parameter}`, linear: " --law linear" }[law];
  byId("shell").textContent = `superscale predict${option} --n ${n} --density ${density}`
    + ` --m ${state.m} --theory ${theories.join(",")}`;
}

function showAbout() {
  const a = TABLE.accuracy;
  const count = Object.values(TABLE.laws).reduce((sum, law) => sum + law.settings.length, 0);
  const percent = (value) => `${(100 * value).toFixed(2)} %`;
  byId("about").innerHTML = `
    <p><b>mean_field</b> is interpolated: ${count} settings were solved by the Python package
    (solve_mean_field), with their derivatives, and the page interpolates between them. Each of the
    ${a.count} of them inside the ranges was left out in turn and interpolated from the others: the
    loss then differs by at most ${percent(a.loss.largest)} (median ${percent(a.loss.median)}). The
    number of live features is drawn for orientation: its median error is
    ${percent(a.live.median)}, and 90 % are within ${percent(a.live.of_90_percent)}. It is tabulated for ${Object.entries(TABLE.laws).map(ranges).join("; ")}.</p>
    <p>How far the mean field itself is from trained models: median 3 %, 90 % within 8 %, at
    n = 300 to 3000; less reliable for n/m below 5. The other theories are computed here in
    closed form, as in the package.</p>
    <p>Losses are summed over the n features; v ~ U(0, 2), features independent and equally
    important; a model that learns nothing has about 4/3 E. Trained models: weight decay −1 unless
    said. “Converged” ones have been trained until twice as many steps no longer lower the loss by
    much; those of the published recipe lose features early, which the mean field leaves out.
    Published points are read from the figures of arXiv 2505.10465.</p>`;
}

function ranges([law, { box }]) {
  const shape = { power_law: `α = ${box.shape?.join(" to ")}, `,
    exponential: `n/s = ${box.shape?.join(" to ")}, `, linear: "" }[law];
  return `${law === "power_law" ? "power laws" : `${law} frequencies`} with ${shape}n = ${box.n.join(" to ")}, `
    + `E = ${box.density.join(" to ")}, m = ${box.m_over_root_n} √n to n/${box.n_over_m}`;
}

// ---- events --------------------------------------------------------------------------------

function copy(button) {
  const what = button.dataset.copy;
  const text = what === "link" ? location.href : byId(what).textContent;
  const done = () => {
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1200);
  };
  const byHand = () => {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    if (document.execCommand("copy")) done();
    area.remove();
    button.focus();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand);
  else byHand();
}

function pointAtWidth(event) {
  const box = byId("loss").getBoundingClientRect();
  change({ m: charts.loss.fromX(event.clientX - box.left) });
}

function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const follow = () => { root.dataset.theme = dark.matches ? "dark" : "light"; };
  follow();
  dark.addEventListener("change", follow);
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  });
  buildInputs();
  buildPresets();
  showAbout();
  for (const radio of document.querySelectorAll("input[name=law]")) {
    radio.addEventListener("change", () => change({ law: radio.value }));
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy(button));
  }
  byId("loss").addEventListener("pointerdown", pointAtWidth);
  byId("loss").addEventListener("pointermove", (event) => {
    if (event.buttons === 1) pointAtWidth(event);
  });
  window.addEventListener("hashchange", () => {
    if (location.hash !== toHash()) fromHash();
  });
  window.addEventListener("resize", render);
  fromHash();
}

start();
