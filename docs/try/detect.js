// Faces in photos, in a browser: what ssd.Detector(..., suppression="nms") finds, by onnxruntime-web.
//
//     const detect = await openDetector("face.onnx"); // of: ssd export face.keras face.onnx --boxes
//     for (const {box: [ymin, xmin, ymax, xmax], score} of await detect(imageData)) ...
//
// runtime/ holds three files of the npm package onnxruntime-web; `make page` puts them there.

import * as ort from "./runtime/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("runtime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more want headers that a plain server does not send

/**
 * Opens a model that gives boxes itself.
 *
 * @param {string} url Of the file.
 * @returns {Promise<function(ImageData): Promise<Array>>} A function that takes a photo and gives
 *   what is in it, best first: {box, score, classId}, with box [ymin, xmin, ymax, xmax] in pixels
 *   of the photo and 1 as the first class.
 */
export async function openDetector(url) {
  const session = await ort.InferenceSession.create(url);
  const [, height, width] = session.inputMetadata[0].shape;
  return async (photo) => {
    const {image, inner} = letterbox(photo, height, width);
    const images = new ort.Tensor("uint8", image, [1, height, width, 3]);
    const {boxes, scores, class_ids: classIds} = await session.run({images});
    const limits = [photo.height, photo.width, photo.height, photo.width];
    const found = Array.from(scores.data, (score, index) => ({
      box: limits.map((limit, side) =>
        Math.min(Math.max((boxes.data[4 * index + side] * limit) / inner[side % 2], 0), limit)),
      score,
      classId: Number(classIds.data[index]),
    }));
    return found.filter(({box}) => box[2] > box[0] && box[3] > box[1]);
  };
}

/** A photo in the top left corner of an input, as docs/model-file.md says; the rest is 0. */
function letterbox(photo, height, width) {
  const {height: h, width: w} = photo;
  const inner = [
    Math.min(height, Math.max(1, Math.floor((2 * h * width + w) / (2 * w)))),
    Math.min(width, Math.max(1, Math.floor((2 * w * height + h) / (2 * h)))),
  ];
  let unit = 1;
  while (h >= 2 * unit * inner[0] && w >= 2 * unit * inner[1]) unit *= 2;
  const small = halve(photo, unit);
  const rows = places(h / unit, inner[0], small.height);
  const columns = places(w / unit, inner[1], small.width);
  const image = new Uint8Array(height * width * 3);
  rows.forEach(([top, bottom, down], row) => {
    columns.forEach(([left, right, across], column) => {
      for (let color = 0; color < 3; color++) {
        const at = (r, c) => small.values[(r * small.width + c) * 3 + color];
        const above = at(top, left) + (at(top, right) - at(top, left)) * across;
        const below = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * across;
        image[(row * width + column) * 3 + color] = Math.floor(above + (below - above) * down + 0.5);
      }
    });
  });
  return {image, inner};
}

/** Each unit by unit pixels as their mean; where the photo ends inside, its edge goes on. */
function halve({height: h, width: w, data}, unit) { // data: red, green, blue, opacity
  const height = Math.ceil(h / unit), width = Math.ceil(w / unit);
  const values = new Float32Array(height * width * 3);
  for (let row = 0; row < height * unit; row++) {
    const from = Math.min(row, h - 1) * w;
    let place = Math.floor(row / unit) * width * 3;
    for (let column = 0; column < width; column++, place += 3) {
      for (let next = column * unit; next < (column + 1) * unit; next++) {
        const pixel = (from + Math.min(next, w - 1)) * 4;
        values[place] += data[pixel];
        values[place + 1] += data[pixel + 1];
        values[place + 2] += data[pixel + 2];
      }
    }
  }
  return {height, width, values: values.map((sum) => sum / unit ** 2)};
}

/** For each of so many new pixels in a line: two old ones, and how far it is from the first. */
function places(extent, count, pixels) {
  return Array.from({length: count}, (_, index) => {
    const center = ((index + 0.5) * extent) / count - 0.5;
    const first = Math.floor(center);
    const inside = (place) => Math.min(Math.max(place, 0), pixels - 1);
    return [inside(first), inside(first + 1), center - first];
  });
}
