"use strict";

// Photos and boxes as they are now: what the labels say, and over it the marks.

const isIgnored = (photo) => marks.get("ignore", photo) === true;
const isDropped = (i) => marks.get("drop", i) === true;
const isDrawn = (i) => i >= labels.total || labels.drawn.has(i);
const isMoved = (i) => marks.get("move", i) !== undefined;
const isReclassed = (i) => marks.get("class", i) !== undefined;
const isEdited = (i) => isDrawn(i) || isMoved(i) || isReclassed(i);
const isMarked = (photo) =>
  isIgnored(photo) || boxesOf(photo).some((i) => isDropped(i) || isEdited(i));

function boxesOf(photo) {
  return everyBoxOf(photo).filter((i) => i < labels.total || marks.get("draw", i) !== undefined);
}

const placeOf = (i) => marks.get("move", i) ?? namedPlace(i);

const saidClass = (i) => (i < labels.total ? labels.classes[i] : marks.get("draw", i));
const classOf = (i) => marks.get("class", i) ?? saidClass(i);

// An index into KINDS.
function kindOf(i) {
  if (i < labels.total && !isReclassed(i)) return labels.kinds[i];
  return isObject(classOf(i)) ? 0 : 1;
}

// The root of a box's area in the stored photo, in pixels.
function pixelsOf(i) {
  if (i < labels.total && !isMoved(i)) return labels.pixels[i];
  const [top, left, bottom, right] = placeOf(i);
  const [width, height] = sizeOf(photoOf(i));
  return Math.sqrt((bottom - top) * height * (right - left) * width);
}

const sizeOf = (photo) => labels.sizes.subarray(2 * photo, 2 * photo + 2); // width, height

// ---- In words ----

const shortScore = (score) => (Math.floor(score * 1000 + 1e-4) / 1000).toFixed(3).replace(/^0/, "");
const nameOfClass = (classId) =>
  labels.classNames[classId - 1] ?? { [IGNORE]: "region to ignore", [UNKNOWN]: "unknown class" }[classId];

function describe(i) {
  const kind = kindOf(i);
  const what = [kind === 2 ? KIND_NAMES[2] : nameOfClass(classOf(i))];
  if (!isDrawn(i)) what.push(`score ${labels.scores[i].toFixed(4)}`);
  what.push(`${Math.round(pixelsOf(i))} px`);
  if (isDrawn(i)) what.push("drawn");
  if (isMoved(i)) what.push("moved");
  if (isReclassed(i)) what.push("class set");
  if (isDropped(i)) what.push("dropped");
  return what.join(", ");
}

function facts(photo) {
  if (isIgnored(photo)) return "ignored";
  const boxes = boxesOf(photo);
  const kept = boxes.filter((i) => !isDropped(i));
  const faces = kept.filter((i) => kindOf(i) === 0).length;
  const edited = kept.filter(isEdited).length;
  const said = [faces ? count(faces, "face") : "no face"];
  if (kept.length < boxes.length) said.push(`${boxes.length - kept.length} dropped`);
  if (edited) said.push(`${edited} edited`);
  return said.join(", ");
}
