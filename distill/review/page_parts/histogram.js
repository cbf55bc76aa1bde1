"use strict";

// A histogram: pale all boxes, strong those of the photos shown; drag to choose a range.

const SCORE_EDGES = [
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 1,
];
const SIZE_EDGES = [0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, Infinity];

function histogram(svg, values, edges, field, unit, select) {
  const [width, height, foot] = [232, 78, 14];
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const from = Math.max(0, edges.findLastIndex((edge) => edge <= low));
  const end = edges.findIndex((edge) => edge > high);
  edges = edges.slice(from, (end < 0 ? edges.length - 1 : end) + 1);
  const bars = Math.max(1, edges.length - 1);
  const bins = new Uint8Array(values.length);
  const all = new Uint32Array(bars);
  for (let i = 0; i < values.length; i++) {
    let bin = 0;
    while (bin < bars - 1 && values[i] >= edges[bin + 1]) bin++;
    bins[i] = bin;
    all[bin]++;
  }
  const most = Math.max(1, ...all);
  const step = width / bars;
  const tall = (value) => (value ? Math.max(1, (value / most) * (height - foot - 2)) : 0);
  const bar = (name, bin, value) =>
    shape("rect", {
      class: name,
      x: bin * step + 0.5,
      width: step - 1,
      y: height - foot - tall(value),
      height: tall(value),
    });
  const edge = (value) => (value === Infinity ? "more" : String(value).replace(/^0\./, "."));

  function draw() {
    const shown = new Uint32Array(bars);
    for (const photo of filters.order)
      for (let i = labels.first[photo]; i < labels.first[photo + 1]; i++)
        if (filters.matches[i]) shown[bins[i]]++;
    svg.replaceChildren();
    if (!values.length) return;
    const every = Math.ceil(bars / 9);
    for (let bin = 0; bin < bars; bin++) {
      const hit = bar("hit", bin, 0);
      setAll(hit, { x: bin * step, width: step, y: 0, height: height - foot, "data-bin": bin });
      const what = `${edge(edges[bin])} to ${edge(edges[bin + 1])}${unit}`;
      hit.append(shape("title", {}, `${what}: ${number(shown[bin])} of ${number(all[bin])} boxes`));
      svg.append(bar("all", bin, all[bin]), bar("shown", bin, shown[bin]), hit);
      if (bin && bin % every === 0)
        svg.append(shape("text", { x: bin * step, y: height - 3 }, edge(edges[bin])));
    }
    const sum = shown.reduce((a, b) => a + b, 0);
    svg.setAttribute("aria-label", `${field}s of ${number(sum)} boxes`);
  }

  let start = null;
  const binAt = (event) => {
    const place = svg.getBoundingClientRect();
    const at = Math.floor(((event.clientX - place.left) / place.width) * bars);
    return Math.min(bars - 1, Math.max(0, at));
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.addEventListener("pointerdown", (event) => {
    start = binAt(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [first, last] = [start, binAt(event)].sort((a, b) => a - b);
    start = null;
    const low = filters.form.elements[`${field}-low`];
    const high = filters.form.elements[`${field}-high`];
    const chosen = [String(edges[first]), edges[last + 1] === Infinity ? "" : String(edges[last + 1])];
    const again = low.value === chosen[0] && high.value === chosen[1];
    [low.value, high.value] = again ? ["", ""] : chosen;
    select();
  });
  return { draw };
}
