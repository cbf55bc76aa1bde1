"use strict";

// What the labels say of each photo and each box, in flat arrays, so that 100,000 photos are a few
// megabytes: box i of all lies at 4 * i in `boxes`, the boxes of a photo are first[photo] to
// first[photo + 1]. Boxes that are drawn on this page come after all of them, and are few.

const KINDS = ["face", "unsure", "one-sided"];
const KIND_NAMES = ["face", "region to ignore", "seen by one look only"];

// In place of a class: a region to ignore, and a face of which nobody has said what class it has.
const [IGNORE, UNKNOWN] = [-1, -2];
const WORDS = { [IGNORE]: "ignore", [UNKNOWN]: "unknown" }; // in a file of marks
const isObject = (classId) => classId > 0 || classId === UNKNOWN;

let labels; // as readLabels gives them, once index.js has come

function readLabels(index) {
  const raw = (name) => bytes(index.arrays[name] ?? "");
  const { names } = index;
  const counts = new Uint32Array(raw("counts").buffer);
  const classes = new Int32Array(raw("classes").buffer);
  const oneSided = raw("one_sided");
  const total = classes.length;
  const found = {
    id: index.id,
    classNames: index.about.classes, // the first is class 1
    leastSide: index.least_side, // of a box that is drawn or moved, in pixels of the stored photo
    edits: index.edits, // what people have moved and reclassed that the labels have taken in
    drawn: new Set(index.edits.drawn), // and what they have drawn
    here: [], // boxes that are drawn on this page: { photo, place }; the first is box `total`
    hereOf: new Map(), // photo: those of it
    photosUrl: index.photos,
    names,
    total,
    sizes: new Uint32Array(raw("sizes").buffer), // width and height of the stored photo
    ignored: raw("ignored"),
    boxes: new Float32Array(raw("boxes").buffer),
    classes,
    scores: new Float32Array(raw("scores").buffer),
    dropped: raw("dropped"),
    first: new Uint32Array(names.length + 1),
    photoOf: new Uint32Array(total),
    faces: new Uint32Array(names.length),
    pixels: new Float32Array(total), // root of the box's area in the stored photo
    kinds: new Uint8Array(total), // an index into KINDS
    totals: [0, 0, 0],
    ...findChunks(index),
  };
  for (let photo = 0, i = 0; photo < names.length; photo++) {
    const area = found.sizes[2 * photo] * found.sizes[2 * photo + 1];
    for (const end = i + counts[photo]; i < end; i++) {
      const height = found.boxes[4 * i + 2] - found.boxes[4 * i];
      const width = found.boxes[4 * i + 3] - found.boxes[4 * i + 1];
      found.photoOf[i] = photo;
      found.pixels[i] = Math.sqrt(height * width * area);
      found.kinds[i] = isObject(classes[i]) ? 0 : oneSided[i] ? 2 : 1;
      found.totals[found.kinds[i]]++;
      if (isObject(classes[i])) found.faces[photo]++;
    }
    found.first[photo + 1] = i;
  }
  return found;
}

// Which file of thumbnails each photo is in, and where in it.
function findChunks({ names, shards, chunk }) {
  const chunkNames = [];
  const chunkOf = new Uint32Array(names.length);
  const placeInChunk = new Uint16Array(names.length);
  let photo = 0;
  for (const [shard, photos] of shards) {
    for (let i = 0; i < photos; i++, photo++) {
      if (i % chunk === 0) chunkNames.push(`${shard}-${i / chunk}`);
      chunkOf[photo] = chunkNames.length - 1;
      placeInChunk[photo] = i % chunk;
    }
  }
  return { chunkNames, chunkOf, placeInChunk };
}

function bytes(text) {
  const raw = atob(text);
  const array = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) array[i] = raw.charCodeAt(i);
  return array;
}

const range = (low, high) => Array.from({ length: high - low }, (_, i) => low + i);
const photoOf = (i) => (i < labels.total ? labels.photoOf[i] : labels.here[i - labels.total].photo);

// The place of a box before any mark, by which marks name it.
function namedPlace(i) {
  if (i < labels.total) return labels.boxes.subarray(4 * i, 4 * i + 4);
  return labels.here[i - labels.total].place;
}

const samePlace = (one, other) => one.every((side, k) => side === other[k]);

// All boxes of a photo, those too that were drawn here and taken away again.
function everyBoxOf(photo) {
  const said = range(labels.first[photo], labels.first[photo + 1]);
  return said.concat(labels.hereOf.get(photo) ?? []);
}

// The number of the box that has its name from a place, which is new if there is none.
function boxAt(photo, place) {
  const known = everyBoxOf(photo).find((i) => samePlace(place, namedPlace(i)));
  if (known !== undefined) return known;
  const made = labels.total + labels.here.length;
  labels.here.push({ photo, place });
  labels.hereOf.set(photo, [...(labels.hereOf.get(photo) ?? []), made]);
  return made;
}
