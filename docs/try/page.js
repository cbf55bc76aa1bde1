// The page: a photo comes by drop, paste or choice, and goes no further than this canvas.

const drop = document.getElementById("drop");
const said = document.getElementById("said");
const canvas = document.querySelector("canvas");
const input = document.querySelector("input");

/** Says one line; what went wrong in red. */
function say(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

say("Loading the model …");
const opening = import("./detect.js")
  .then(({openDetector}) => openDetector("face.onnx"))
  .then(async (detect) => {
    await detect(new ImageData(8, 8)); // the first run is slower than all others
    say("Ready.");
    return detect;
  });
opening.catch((error) => say(`The model could not be loaded (${error.message}): "make page" puts it here.`, true));

/** Detects on a file that should be a photo, and draws what was found; returns it. */
export async function show(file) {
  const detect = await opening;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {colorSpaceConversion: "none"});
  } catch {
    say(`${file.name || "This"} is no photo that this browser can read.`, true);
    return null;
  }
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  const photo = context.getImageData(0, 0, canvas.width, canvas.height);
  const start = performance.now();
  const found = await detect(photo);
  const milliseconds = performance.now() - start;
  drop.classList.add("full");
  draw(context, found);
  const faces = found.length === 1 ? "1 face" : `${found.length} faces`;
  say(`${faces} in ${milliseconds.toFixed(0)} ms, scaling the photo (${photo.width} × ${photo.height}) included.`);
  return found;
}

/** Frames what was found, with its score. */
function draw(context, found) {
  const unit = Math.max(1, Math.max(canvas.width, canvas.height) / 800); // a pixel of the page, about
  context.lineWidth = 3 * unit;
  context.font = `${14 * unit}px system-ui, sans-serif`;
  for (const {box: [ymin, xmin, ymax, xmax], score} of found) {
    context.strokeStyle = "#00e5c8";
    context.strokeRect(xmin, ymin, xmax - xmin, ymax - ymin);
    const text = score.toFixed(2);
    const top = Math.max(ymin, 18 * unit);
    context.fillStyle = "#00453c";
    context.fillRect(xmin, top - 18 * unit, context.measureText(text).width + 8 * unit, 18 * unit);
    context.fillStyle = "#fff";
    context.fillText(text, xmin + 4 * unit, top - 4 * unit);
  }
}

/** Shows the first file of a choice, a drop or a paste, after those that came before. */
function take([file]) {
  if (file) shown = shown.then(() => show(file)).catch((error) => say(error.message, true));
}
let shown = Promise.resolve();

input.addEventListener("change", () => (take([...input.files]), (input.value = "")));
document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take([...event.dataTransfer.files]);
  });
}
