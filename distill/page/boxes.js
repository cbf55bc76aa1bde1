"use strict";

// Boxes over a photo, and what is said of them in words.

const shortScore = (score) => (Math.floor(score * 1000 + 1e-4) / 1000).toFixed(3).replace(/^0/, "");

const describe = (i) =>
  `${KIND_NAMES[labels.kinds[i]]}, score ${labels.scores[i].toFixed(4)}, ` +
  `${Math.round(labels.pixels[i])} px` +
  (marks.isDropped(i) ? ", dropped" : "");

function facts(photo) {
  if (marks.isIgnored(photo)) return "ignored";
  const dropped = boxesOf(photo).filter(marks.isDropped);
  const faces = labels.faces[photo] - dropped.filter((i) => labels.kinds[i] === 0).length;
  return (faces ? count(faces, "face") : "no face") + (dropped.length ? `, ${dropped.length} dropped` : "");
}

// The photo as large as it fits, and its boxes over it, the largest below.
function drawPhoto(frame, photo, width, height, chosen) {
  const [w, h] = labels.sizes.subarray(2 * photo, 2 * photo + 2);
  const scale = Math.min(width / w, height / h);
  const [across, down] = [Math.max(1, w * scale), Math.max(1, h * scale)];
  const [image, svg] = frame.children;
  Object.assign(image.style, { width: `${across}px`, height: `${down}px` });
  setAll(svg, { width: across, height: down, viewBox: `0 0 ${across} ${down}` });
  const boxes = boxesOf(photo).sort((a, b) => labels.pixels[b] - labels.pixels[a]);
  svg.replaceChildren(...boxes.map((i) => drawBox(i, across, down, i === chosen)));
}

function drawBox(i, across, down, isCurrent) {
  const [top, left, bottom, right] = placeOf(i);
  const place = {
    x: left * across,
    y: top * down,
    width: (right - left) * across,
    height: (bottom - top) * down,
  };
  const classes = [KINDS[labels.kinds[i]]];
  if (marks.isDropped(i)) classes.push("dropped");
  if (!filters.matches[i]) classes.push("passed-over");
  if (isCurrent) classes.push("current");
  const group = shape("g", { class: classes.join(" "), "data-box": i });
  const halo = shape("rect", { class: "halo", ...place, fill: "none" });
  group.append(halo, shape("rect", { class: "box", ...place }));
  if (marks.isDropped(i)) {
    const [x, y] = [place.x + place.width, place.y + place.height];
    group.append(shape("line", { x1: place.x, y1: place.y, x2: x, y2: y }));
    group.append(shape("line", { x1: place.x, y1: y, x2: x, y2: place.y }));
  }
  const above = place.y > 12 ? place.y - 4 : place.y + 11;
  const score = shortScore(labels.scores[i]);
  const start = Math.max(0, Math.min(place.x, across - 6 * score.length));
  group.append(shape("text", { x: start, y: above }, score));
  group.append(shape("title", {}, `${describe(i)}: click to ${marks.isDropped(i) ? "keep" : "drop"}`));
  return group;
}
