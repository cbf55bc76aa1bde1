"use strict";

// What the labels say of each photo and each box, in flat arrays, so that 100,000 photos are a few
// megabytes: box i of all lies at 4 * i in `boxes`, the boxes of a photo are first[photo] to
// first[photo + 1].

const KINDS = ["face", "unsure", "one-sided"];
const KIND_NAMES = ["face", "region to ignore", "seen by one look only"];

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
    photosUrl: index.photos,
    names,
    total,
    sizes: new Uint32Array(raw("sizes").buffer), // width and height of the stored photo
    ignored: raw("ignored"),
    boxes: new Float32Array(raw("boxes").buffer),
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
      found.kinds[i] = classes[i] > 0 ? 0 : oneSided[i] ? 2 : 1;
      found.totals[found.kinds[i]]++;
      if (classes[i] > 0) found.faces[photo]++;
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

const placeOf = (i) => labels.boxes.subarray(4 * i, 4 * i + 4);

function boxesOf(photo) {
  const [low, high] = labels.first.subarray(photo, photo + 2);
  return Array.from({ length: high - low }, (_, i) => low + i);
}
