"use strict";

// Boxes, drawn over their photo.

// Where a box can be taken hold of, and which of its sides follow: indices into its place.
const HANDLES = { n: [0], w: [1], s: [2], e: [3], nw: [0, 1], ne: [0, 3], sw: [2, 1], se: [2, 3] };
const HANDLE = 9; // pixels
const ROOMY = 44; // length of a side from which it has a handle in its middle

// The photo as large as it fits, and its boxes over it, the largest below. `draft` is a box whose
// place is being changed: { box, place, classId }, where the box of one that is new is -1.
function drawPhoto(frame, photo, width, height, chosen, { draft = null, handles = false } = {}) {
  const [w, h] = sizeOf(photo);
  const scale = Math.min(width / w, height / h);
  const size = [Math.max(1, w * scale), Math.max(1, h * scale)];
  const [across, down] = size;
  const [image, svg] = frame.children;
  Object.assign(image.style, { width: `${across}px`, height: `${down}px` });
  setAll(svg, { width: across, height: down, viewBox: `0 0 ${across} ${down}` });
  const boxes = boxesOf(photo).sort((a, b) => pixelsOf(b) - pixelsOf(a));
  const groups = boxes.map((i) =>
    i === draft?.box ? drawDraft(draft, size) : drawBox(i, size, i === chosen, handles),
  );
  if (draft?.box === -1) groups.push(drawDraft(draft, size));
  svg.replaceChildren(...groups);
}

function inPixels([top, left, bottom, right], [across, down]) {
  return {
    x: left * across,
    y: top * down,
    width: (right - left) * across,
    height: (bottom - top) * down,
  };
}

function drawBox(i, size, isCurrent, handles) {
  const classes = [KINDS[kindOf(i)]];
  if (isDropped(i)) classes.push("dropped");
  if (filters.matches[i] === 0) classes.push("passed-over");
  if (isEdited(i)) classes.push("edited");
  if (isCurrent) classes.push("current");
  const group = shape("g", { class: classes.join(" "), "data-box": i });
  const place = inPixels(placeOf(i), size);
  if (isMoved(i) && isCurrent)
    group.append(shape("rect", { class: "before", ...inPixels(namedPlace(i), size) }));
  outline(group, place);
  if (isDropped(i)) cross(group, place);
  write(group, place, size, caption(i));
  group.append(shape("title", {}, `${describe(i)}: click to ${isDropped(i) ? "keep" : "drop"}`));
  if (handles && !isDropped(i)) takeHold(group, place);
  return group;
}

function drawDraft({ box, place, classId }, size) {
  const kind = KINDS[isObject(classId) ? 0 : 1];
  const group = shape("g", { class: `${kind} edited current draft`, "data-box": box });
  outline(group, inPixels(place, size));
  takeHold(group, inPixels(place, size));
  return group;
}

function outline(group, place) {
  group.append(shape("rect", { class: "halo", ...place, fill: "none" }));
  group.append(shape("rect", { class: "box", ...place }));
}

function cross(group, { x, y, width, height }) {
  const [right, bottom] = [x + width, y + height];
  group.append(shape("line", { x1: x, y1: y, x2: right, y2: bottom }));
  group.append(shape("line", { x1: x, y1: bottom, x2: right, y2: y }));
}

function caption(i) {
  const said = isEdited(i) ? ["✎"] : [];
  if (labels.classNames.length > 1 && isObject(classOf(i))) said.push(nameOfClass(classOf(i)));
  if (!isDrawn(i)) said.push(shortScore(labels.scores[i]));
  return said.join(" ");
}

function write(group, place, [across], text) {
  const start = Math.max(0, Math.min(place.x, across - 6 * text.length));
  group.append(shape("text", { x: start, y: place.y > 12 ? place.y - 4 : place.y + 11 }, text));
}

// Handles lie outside, so that a small box can still be clicked on.
function takeHold(group, { x, y, width, height }) {
  for (const [name, sides] of Object.entries(HANDLES)) {
    const isMiddle = sides.length === 1;
    if (isMiddle && (sides[0] % 2 ? height : width) < ROOMY) continue;
    const out = isMiddle ? 0 : HANDLE / 2;
    const left = sides.includes(1) ? x - out : sides.includes(3) ? x + width + out : x + width / 2;
    const top = sides.includes(0) ? y - out : sides.includes(2) ? y + height + out : y + height / 2;
    const corner = { x: left - HANDLE / 2, y: top - HANDLE / 2, width: HANDLE, height: HANDLE };
    group.append(shape("rect", { class: `handle ${name}`, "data-handle": name, ...corner }));
  }
}
