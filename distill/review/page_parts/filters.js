"use strict";

// Which photos are shown, in which order. Filters ask for what the labels say, before any mark.

const filters = (() => {
  const form = $("#filters");
  const found = {
    form,
    order: new Uint32Array(0), // the photos shown, in their order
    matches: new Uint8Array(0), // is this box one that the filters ask for?
    select,
    summarize,
  };

  function asked() {
    const value = (name) => form.elements[name].value;
    // Scores have 32 bits: 0.95 typed is to be the 0.95 stored.
    const least = (name) => (value(name) === "" ? -Infinity : Math.fround(value(name)));
    const most = (name) => (value(name) === "" ? Infinity : Math.fround(value(name)));
    return {
      sort: value("sort"),
      kinds: KINDS.map((kind) => form.elements[kind].checked),
      score: [least("score-low"), most("score-high")],
      size: [least("size-low"), most("size-high")],
      faces: [least("faces-low"), most("faces-high")],
      marks: value("marks"),
      name: value("name").trim().toLowerCase(),
    };
  }

  function select() {
    const { sort, kinds, score, size, faces, marks: asMarked, name } = asked();
    const wholeRange = [score, size].every(([low, high]) => low === -Infinity && high === Infinity);
    const anyBoxes = wholeRange && kinds.every((on, kind) => on || !labels.totals[kind]);
    const photos = [];
    const keys = new Float64Array(labels.names.length);
    const matches = new Uint8Array(labels.total);
    for (let photo = 0; photo < labels.names.length; photo++) {
      if (labels.faces[photo] < faces[0] || labels.faces[photo] > faces[1]) continue;
      if (name && !labels.names[photo].toLowerCase().includes(name)) continue;
      if (asMarked !== "all" && isMarked(photo) !== (asMarked === "marked")) continue;
      let wanted = 0;
      let disputed = 0;
      let unsure = Infinity;
      let sure = -Infinity;
      let small = Infinity;
      let large = -Infinity;
      for (let i = labels.first[photo]; i < labels.first[photo + 1]; i++) {
        const s = labels.scores[i];
        const p = labels.pixels[i];
        const kind = labels.kinds[i];
        if (!kinds[kind] || s < score[0] || s > score[1] || p < size[0] || p > size[1]) continue;
        matches[i] = 1;
        wanted++;
        if (kind === 2) disputed++;
        if (s < unsure) unsure = s;
        if (s > sure) sure = s;
        if (p < small) small = p;
        if (p > large) large = p;
      }
      if (!wanted && !anyBoxes) continue;
      keys[photo] = {
        folder: photo,
        unsure: unsure,
        sure: -sure,
        disagreement: -disputed,
        many: -labels.faces[photo],
        few: labels.faces[photo],
        small: small,
        large: -large,
      }[sort];
      photos.push(photo);
    }
    found.matches = matches;
    found.order = Uint32Array.from(photos);
    if (sort !== "folder") found.order.sort((a, b) => keys[a] - keys[b] || a - b);
  }

  function summarize() {
    const { order } = found;
    const [faces, unsure, oneSided] = labels.totals;
    const shown =
      order.length === labels.names.length
        ? count(order.length, "photo")
        : `${number(order.length)} of ${count(labels.names.length, "photo")}`;
    $("#summary").textContent =
      `${shown} · ${count(faces, "face")} · ${count(unsure + oneSided, "region")} to ignore`;
    $("#nothing").hidden = order.length > 0;
    $("#nothing").textContent = labels.names.length
      ? "No photo is like that."
      : "There is no photo in these labels.";
  }

  return found;
})();
