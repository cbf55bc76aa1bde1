"use strict";

// Thumbnails come in files of a few, loaded for what is in sight and forgotten when there are many.

const thumbnails = (() => {
  const FILES = 300; // kept in memory
  const SETTLED = 50; // milliseconds without scrolling before any is loaded
  const files = new Map(); // name: thumbnails, or null while they are loaded; oldest first
  const nameOf = (photo) => labels.chunkNames[labels.chunkOf[photo]];

  let settling = 0;
  function loadSoon(photos) {
    clearTimeout(settling);
    settling = setTimeout(() => {
      for (const photo of photos()) load(nameOf(photo));
      for (const name of files.keys()) {
        if (files.size <= FILES) break;
        files.delete(name);
      }
    }, SETTLED);
  }

  function load(name) {
    const known = files.get(name);
    files.delete(name); // and in again, as the latest
    files.set(name, known ?? null);
    if (known !== undefined) return;
    const script = document.createElement("script");
    script.src = `review/${name}.js`;
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  }

  // As the source of an image; empty while it is not there.
  function source(photo) {
    const file = files.get(nameOf(photo));
    return file ? `data:image/jpeg;base64,${file[labels.placeInChunk[photo]]}` : "";
  }

  const take = ([name, ...found]) => files.set(name, found);

  return { loadSoon, source, take };
})();
