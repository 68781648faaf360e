// Log-log and semi-log charts as SVG, redrawn at the size of their container.
"use strict";

const MARGIN = { top: 14, right: 16, bottom: 42, left: 68 };
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// 1, 2, 5 times powers of ten in a range, or whole powers if those are more than enough.
function logTicks(low, high, most) {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let k = Math.floor(Math.log10(low)); k <= Math.log10(high); k += 1) {
      for (const step of steps) ticks.push(step * 10 ** k);
    }
    const inside = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
    if (inside.length <= most) return inside;
  }
  const first = Math.ceil(Math.log10(low));
  const last = Math.floor(Math.log10(high));
  const step = Math.ceil((last - first + 1) / most);
  const ticks = [];
  for (let k = first; k <= last; k += step) ticks.push(10 ** k);
  return ticks;
}

function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * unit).find((x) => x >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k += 1) ticks.push(k * step);
  return ticks;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function tickLabel(value) {
  if (value === 0) return "0";
  if (value >= 1e-3 && value < 1e5) return String(Number(value.toPrecision(6)));
  const power = Math.floor(Math.log10(value) + 1e-9);
  const digits = [...String(Math.abs(power))].map((digit) => SUPERSCRIPTS[digit]).join("");
  const factor = Number((value / 10 ** power).toPrecision(2));
  return `${factor === 1 ? "" : `${factor} · `}10${power < 0 ? "⁻" : ""}${digits}`;
}

// Draw curves {points: [[x, y]], color, dash, width} and marks {points, color, shape, filled}.
// Returns functions from pixels to x.
function drawChart(svg, { x, y, curves, marks, marker, labels }) {
  const width = Math.max(svg.clientWidth, 200);
  const height = Math.max(svg.clientHeight, 120);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const inner = {
    left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom,
  };
  const scale = (axis, low, high) => {
    const f = axis.log ? Math.log : (value) => value;
    const span = f(axis.high) - f(axis.low);
    return (value) => low + ((f(value) - f(axis.low)) / span) * (high - low);
  };
  const toX = scale(x, inner.left, inner.right);
  const toY = scale(y, inner.bottom, inner.top);
  const ticks = (axis, most) => (axis.log ? logTicks : linearTicks)(axis.low, axis.high, most);

  const grid = element("g", { class: "grid" }, svg);
  for (const tick of ticks(x, Math.max(3, Math.floor(width / 70)))) {
    element("line", { x1: toX(tick), x2: toX(tick), y1: inner.top, y2: inner.bottom }, grid);
    element("text", { x: toX(tick), y: inner.bottom + 17, "text-anchor": "middle" }, grid,
      tickLabel(tick));
  }
  for (const tick of ticks(y, Math.max(3, Math.floor(height / 38)))) {
    element("line", { x1: inner.left, x2: inner.right, y1: toY(tick), y2: toY(tick) }, grid);
    element("text", { x: inner.left - 8, y: toY(tick) + 4, "text-anchor": "end" }, grid,
      tickLabel(tick));
  }
  const title = { class: "axis", "text-anchor": "middle" };
  element("text", { ...title, x: (inner.left + inner.right) / 2, y: height - 6 }, svg, labels.x);
  const middle = (inner.top + inner.bottom) / 2;
  element("text", { ...title, transform: `translate(14 ${middle}) rotate(-90)` }, svg, labels.y);

  const clip = `${svg.id}-inside`;
  const definition = element("clipPath", { id: clip }, element("defs", {}, svg));
  element("rect", {
    x: inner.left, y: inner.top - 4, width: inner.right - inner.left,
    height: inner.bottom - inner.top + 8,
  }, definition);
  const plot = element("g", { "clip-path": `url(#${clip})` }, svg);
  if (marker) {
    element("line", { class: "marker", x1: toX(marker), x2: toX(marker), y1: inner.top - 4,
      y2: inner.bottom }, plot);
  }
  for (const curve of curves) {
    for (const piece of pieces(curve.points)) {
      const path = piece.map(([a, b]) => `${toX(a).toFixed(1)},${toY(b).toFixed(1)}`).join("L");
      element("path", { class: `curve ${curve.name}`, d: `M${path}` }, plot);
    }
  }
  for (const mark of marks) {
    for (const [a, b, error] of mark.points) {
      const [px, py] = [toX(a), toY(b)];
      const group = element("g", { class: `mark ${mark.name}` }, plot);
      if (error > 0 && b > error) {
        element("line", { x1: px, x2: px, y1: toY(b - error), y2: toY(b + error) }, group);
      }
      drawSymbol(mark.symbol, px, py, group);
      element("title", {}, group, `${mark.title}: m = ${a}, L = ${Number(b.toPrecision(4))}`);
    }
  }
  const fromX = (pixels) => {
    const share = (pixels - inner.left) / (inner.right - inner.left);
    return Math.exp(Math.log(x.low) + share * (Math.log(x.high) - Math.log(x.low)));
  };
  return { fromX };
}

function drawSymbol(symbol, x, y, parent) {
  const at = (points) => points.map(([a, b]) => `${x + a},${y + b}`).join(" ");
  if (symbol === "diamond") {
    element("polygon", { points: at([[0, -6], [5, 0], [0, 6], [-5, 0]]) }, parent);
  } else if (symbol === "triangle") {
    element("polygon", { points: at([[0, -5], [5, 4], [-5, 4]]) }, parent);
  } else if (symbol === "square") {
    element("rect", { x: x - 4, y: y - 4, width: 8, height: 8 }, parent);
  } else {
    element("circle", { cx: x, cy: y, r: symbol === "dot" ? 3.2 : 4.5 }, parent);
  }
}

// Runs of finite points: a curve is interrupted where a theory has no number.
function pieces(points) {
  const runs = [[]];
  for (const point of points) {
    if (Number.isFinite(point[1])) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs.filter((run) => run.length > 1);
}
