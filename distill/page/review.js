"use strict";

// A page opened from the disk may run scripts beside it but not read files. So the data are
// scripts: index.js calls review.index once, a file of thumbnails calls review.chunk.
const review = {};

(() => {
  const CELL = 188; // least width of a photo's place in the grid, pixels
  const ROW = 208; // its height, as the style sheet has it
  const PHOTO = 168; // height of the photo in it
  const GAP = 8; // around it
  const CHUNKS = 300; // files of thumbnails kept in memory
  const SETTLED = 50; // milliseconds without scrolling before thumbnails are loaded
  const KINDS = ["face", "unsure", "one-sided"];
  const KIND_NAMES = ["face", "region to ignore", "seen by one look only"];
  const SCORE_EDGES = [
    0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
    1,
  ];
  const SIZE_EDGES = [0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, Infinity];

  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const number = (value) => value.toLocaleString("en");
  const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  const filters = $("#filters");
  const scroller = $("#scroller");
  const runway = $("#runway");
  const closer = $("#closer");

  let data; // what is known of photos and boxes; see read()
  let matches; // Uint8Array: is this box one that the filters ask for?
  let order = new Uint32Array(0); // the photos shown, in their order
  let current = 0; // a position in it
  let box = -1; // the current box of that photo, or -1
  let columns = 1;
  let saved = false; // the marks as they are now lie in a file
  const cards = new Map(); // position: figure, for what can be seen
  const chunks = new Map(); // name: thumbnails, or null while they are loaded; oldest first
  const histograms = [];

  // ---- Data ----

  function bytes(text) {
    const raw = atob(text);
    const array = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) array[i] = raw.charCodeAt(i);
    return array;
  }

  function read(index) {
    const raw = (name) => bytes(index.arrays[name] ?? "");
    const { names } = index;
    const found = {
      id: index.id,
      about: index.about,
      photosUrl: index.photos,
      names,
      sizes: new Uint32Array(raw("sizes").buffer),
      ignored: raw("ignored"),
      boxes: new Float32Array(raw("boxes").buffer),
      scores: new Float32Array(raw("scores").buffer),
      dropped: raw("dropped"),
    };
    const counts = new Uint32Array(raw("counts").buffer);
    const classes = new Int32Array(raw("classes").buffer);
    const oneSided = raw("one_sided");
    const total = classes.length;
    found.first = new Uint32Array(names.length + 1); // boxes of photo i: first[i] to first[i + 1]
    found.faces = new Uint32Array(names.length);
    found.pixels = new Float32Array(total); // root of the box's area in the stored photo
    found.kinds = new Uint8Array(total); // an index into KINDS
    found.totals = [0, 0, 0];
    for (let photo = 0, i = 0; photo < names.length; photo++) {
      const area = found.sizes[2 * photo] * found.sizes[2 * photo + 1];
      for (const end = i + counts[photo]; i < end; i++) {
        const height = found.boxes[4 * i + 2] - found.boxes[4 * i];
        const width = found.boxes[4 * i + 3] - found.boxes[4 * i + 1];
        found.pixels[i] = Math.sqrt(height * width * area);
        found.kinds[i] = classes[i] > 0 ? 0 : oneSided[i] ? 2 : 1;
        found.totals[found.kinds[i]]++;
        if (classes[i] > 0) found.faces[photo]++;
      }
      found.first[photo + 1] = i;
    }
    found.chunkNames = [];
    found.chunkOf = new Uint32Array(names.length);
    found.placeInChunk = new Uint16Array(names.length);
    let photo = 0;
    for (const [shard, photos] of index.shards) {
      for (let i = 0; i < photos; i++, photo++) {
        if (i % index.chunk === 0) found.chunkNames.push(`${shard}-${i / index.chunk}`);
        found.chunkOf[photo] = found.chunkNames.length - 1;
        found.placeInChunk[photo] = i % index.chunk;
      }
    }
    found.appliedIgnored = found.ignored.slice();
    found.appliedDropped = found.dropped.slice();
    return found;
  }

  const boxesOf = (photo) => range(data.first[photo], data.first[photo + 1]);
  const range = (low, high) => Array.from({ length: high - low }, (_, i) => low + i);

  // ---- Marks: kept by the browser at once, saved to a file when asked ----

  function changes() {
    const marks = [];
    for (let photo = 0; photo < data.names.length; photo++) {
      const name = data.names[photo];
      if (data.ignored[photo] !== data.appliedIgnored[photo])
        marks.push({ photo: name, ignore: data.ignored[photo] === 1 });
      for (let i = data.first[photo]; i < data.first[photo + 1]; i++)
        if (data.dropped[i] !== data.appliedDropped[i])
          marks.push({
            photo: name,
            box: [...data.boxes.subarray(4 * i, 4 * i + 4)],
            drop: data.dropped[i] === 1,
          });
    }
    return marks;
  }

  function setMarks(marks) {
    const places = new Map(data.names.map((name, photo) => [name, photo]));
    for (const mark of marks) {
      const photo = places.get(mark.photo);
      if (photo === undefined) continue; // set on labels that have changed since
      if ("ignore" in mark) data.ignored[photo] = mark.ignore ? 1 : 0;
      else
        for (const i of boxesOf(photo))
          if (mark.box.every((side, k) => side === data.boxes[4 * i + k]))
            data.dropped[i] = mark.drop ? 1 : 0;
    }
  }

  const storage = () => `distill marks ${data.id}`;

  function recall() {
    try {
      const text = localStorage.getItem(storage());
      if (text) setMarks(JSON.parse(text).marks);
    } catch {
      // The browser keeps nothing for pages from the disk; the file is what counts.
    }
    keep(); // what the labels have taken in since is forgotten
  }

  function keep() {
    saved = false;
    const text = JSON.stringify({ marks: changes() });
    try {
      localStorage.setItem(storage(), text);
    } catch {
      // As above.
    }
    report();
  }

  function report() {
    const marks = changes().length;
    $("#pending").textContent = saved
      ? "now: python -m distill --review OUT --marks marks.json"
      : marks
        ? `${count(marks, "mark")} to save`
        : "no new marks";
    $("#save").disabled = marks === 0;
  }

  function save() {
    const marks = changes();
    if (!marks.length) return;
    const lines = marks.map((mark) => JSON.stringify(mark)).join(",\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(
      new Blob([`{"marks": [\n${lines}\n]}\n`], { type: "application/json" }),
    );
    link.download = "marks.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    saved = true;
    report();
    announce(`${count(marks.length, "mark")} saved to marks.json`);
  }

  function toggleBox(i) {
    data.dropped[i] ^= 1;
    keep();
    refresh(current);
    announce(data.dropped[i] ? "box dropped" : "box kept");
  }

  function toggleIgnored(photo) {
    data.ignored[photo] ^= 1;
    keep();
    refresh(current);
    announce(data.ignored[photo] ? "photo ignored" : "photo not ignored");
  }

  const isMarked = (photo) =>
    data.ignored[photo] === 1 || boxesOf(photo).some((i) => data.dropped[i]);

  // ---- Filter and sort ----

  function asked() {
    const value = (name) => filters.elements[name].value;
    // Scores have 32 bits: 0.95 typed is to be the 0.95 stored.
    const least = (name) => (value(name) === "" ? -Infinity : Math.fround(value(name)));
    const most = (name) => (value(name) === "" ? Infinity : Math.fround(value(name)));
    return {
      sort: value("sort"),
      kinds: KINDS.map((kind) => filters.elements[kind].checked),
      score: [least("score-low"), most("score-high")],
      size: [least("size-low"), most("size-high")],
      faces: [least("faces-low"), most("faces-high")],
      marks: value("marks"),
      name: value("name").trim().toLowerCase(),
    };
  }

  function select() {
    const { sort, kinds, score, size, faces, marks, name } = asked();
    const wholeRange = [score, size].every(([low, high]) => low === -Infinity && high === Infinity);
    const anyBoxes = wholeRange && kinds.every((on, kind) => on || !data.totals[kind]);
    const found = [];
    const keys = new Float64Array(data.names.length);
    matches = new Uint8Array(data.scores.length);
    for (let photo = 0; photo < data.names.length; photo++) {
      if (data.faces[photo] < faces[0] || data.faces[photo] > faces[1]) continue;
      if (name && !data.names[photo].toLowerCase().includes(name)) continue;
      if (marks !== "all" && isMarked(photo) !== (marks === "marked")) continue;
      let wanted = 0;
      let disputed = 0;
      let unsure = Infinity;
      let sure = -Infinity;
      let small = Infinity;
      let large = -Infinity;
      for (let i = data.first[photo]; i < data.first[photo + 1]; i++) {
        const s = data.scores[i];
        const p = data.pixels[i];
        const kind = data.kinds[i];
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
        many: -data.faces[photo],
        few: data.faces[photo],
        small: small,
        large: -large,
      }[sort];
      found.push(photo);
    }
    order = Uint32Array.from(found);
    if (sort !== "folder") order.sort((a, b) => keys[a] - keys[b] || a - b);
    current = 0;
    box = -1;
    histograms.forEach((each) => each.draw());
    $("#nothing").hidden = order.length > 0;
    $("#nothing").textContent = data.names.length
      ? "No photo is like that."
      : "There is no photo in these labels.";
    summarize();
    clear();
    layout();
    reveal();
  }

  function summarize() {
    const [faces, unsure, oneSided] = data.totals;
    const shown =
      order.length === data.names.length
        ? count(order.length, "photo")
        : `${number(order.length)} of ${count(data.names.length, "photo")}`;
    $("#summary").textContent =
      `${shown} · ${count(faces, "face")} · ${count(unsure + oneSided, "region")} to ignore`;
  }

  // ---- Histograms: pale all boxes, strong those of the photos shown; drag to choose a range ----

  function histogram(svg, values, edges, field, unit) {
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
      for (const photo of order)
        for (let i = data.first[photo]; i < data.first[photo + 1]; i++)
          if (matches[i]) shown[bins[i]]++;
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
      const low = filters.elements[`${field}-low`];
      const high = filters.elements[`${field}-high`];
      const chosen = [String(edges[first]), edges[last + 1] === Infinity ? "" : String(edges[last + 1])];
      const again = low.value === chosen[0] && high.value === chosen[1];
      [low.value, high.value] = again ? ["", ""] : chosen;
      select();
    });
    return { draw };
  }

  const shape = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    setAll(made, attributes);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const setAll = (element, attributes) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  };

  // ---- Grid: only what can be seen is there ----

  function layout() {
    columns = Math.max(1, Math.floor((scroller.clientWidth - 2 * GAP) / CELL));
    runway.style.height = `${Math.ceil(order.length / columns) * ROW + 2 * GAP}px`;
    render();
  }

  function clear() {
    cards.forEach((card) => card.remove());
    cards.clear();
  }

  function render() {
    const top = Math.floor((scroller.scrollTop - GAP) / ROW) - 1;
    const bottom = Math.ceil((scroller.scrollTop + scroller.clientHeight - GAP) / ROW) + 1;
    const from = Math.max(0, top * columns);
    const to = Math.min(order.length, bottom * columns);
    const width = (scroller.clientWidth - 2 * GAP) / columns;
    for (const [position, card] of cards)
      if (position < from || position >= to) {
        card.remove();
        cards.delete(position);
      }
    for (let position = from; position < to; position++) {
      if (!cards.has(position)) {
        const card = $("#card").content.firstElementChild.cloneNode(true);
        card.id = `photo-${position}`;
        setAll(card, { "aria-posinset": position + 1, "aria-setsize": order.length });
        cards.set(position, card);
        runway.append(card);
        refresh(position);
      }
      Object.assign(cards.get(position).style, {
        left: `${GAP + (position % columns) * width}px`,
        top: `${GAP + Math.floor(position / columns) * ROW}px`,
        width: `${width}px`,
        height: `${ROW}px`,
      });
    }
    loadSoon();
  }

  function refresh(position) {
    const photo = order[position];
    if (closer.open && position === current) refreshCloser(photo);
    const card = cards.get(position);
    if (!card) return;
    card.classList.toggle("ignored", data.ignored[photo] === 1);
    card.setAttribute("aria-selected", position === current);
    if (position === current) scroller.setAttribute("aria-activedescendant", card.id);
    const caption = $("figcaption", card);
    const name = data.names[photo];
    caption.firstElementChild.textContent = name.slice(name.lastIndexOf("/") + 1);
    caption.firstElementChild.title = name;
    caption.lastElementChild.textContent = facts(photo).replace(/(\d+) dropped/, "✕ $1");
    card.setAttribute("aria-label", `${name}, ${facts(photo)}`);
    const chosen = position === current ? box : -1;
    draw($(".photo", card), photo, CELL - 2 * GAP, PHOTO, chosen);
    showThumbnail(card, photo);
  }

  function facts(photo) {
    if (data.ignored[photo]) return "ignored";
    const dropped = boxesOf(photo).filter((i) => data.dropped[i]);
    const faces = data.faces[photo] - dropped.filter((i) => data.kinds[i] === 0).length;
    return (faces ? count(faces, "face") : "no face") + (dropped.length ? `, ${dropped.length} dropped` : "");
  }

  const shortScore = (score) => (Math.floor(score * 1000 + 1e-4) / 1000).toFixed(3).replace(/^0/, "");

  // The photo as large as it fits, and its boxes over it, the largest below.
  function draw(frame, photo, width, height, chosen) {
    const [w, h] = data.sizes.subarray(2 * photo, 2 * photo + 2);
    const scale = Math.min(width / w, height / h);
    const [across, down] = [Math.max(1, w * scale), Math.max(1, h * scale)];
    const [image, svg] = frame.children;
    Object.assign(image.style, { width: `${across}px`, height: `${down}px` });
    setAll(svg, { width: across, height: down, viewBox: `0 0 ${across} ${down}` });
    const boxes = boxesOf(photo).sort((a, b) => data.pixels[b] - data.pixels[a]);
    svg.replaceChildren(...boxes.map((i) => drawBox(i, across, down, i === chosen)));
  }

  function drawBox(i, across, down, isCurrent) {
    const [top, left, bottom, right] = data.boxes.subarray(4 * i, 4 * i + 4);
    const place = {
      x: left * across,
      y: top * down,
      width: (right - left) * across,
      height: (bottom - top) * down,
    };
    const classes = [KINDS[data.kinds[i]]];
    if (data.dropped[i]) classes.push("dropped");
    if (!matches[i]) classes.push("passed-over");
    if (isCurrent) classes.push("current");
    const group = shape("g", { class: classes.join(" "), "data-box": i });
    const halo = shape("rect", { class: "halo", ...place, fill: "none" });
    group.append(halo, shape("rect", { class: "box", ...place }));
    if (data.dropped[i]) {
      const [x, y] = [place.x + place.width, place.y + place.height];
      group.append(shape("line", { x1: place.x, y1: place.y, x2: x, y2: y }));
      group.append(shape("line", { x1: place.x, y1: y, x2: x, y2: place.y }));
    }
    const above = place.y > 12 ? place.y - 4 : place.y + 11;
    const score = shortScore(data.scores[i]);
    const start = Math.max(0, Math.min(place.x, across - 6 * score.length));
    group.append(shape("text", { x: start, y: above }, score));
    group.append(shape("title", {}, `${describe(i)}: click to ${data.dropped[i] ? "keep" : "drop"}`));
    return group;
  }

  const describe = (i) =>
    `${KIND_NAMES[data.kinds[i]]}, score ${data.scores[i].toFixed(4)}, ` +
    `${Math.round(data.pixels[i])} px` +
    (data.dropped[i] ? ", dropped" : "");

  // ---- Thumbnails ----

  let settling = 0;
  function loadSoon() {
    clearTimeout(settling);
    settling = setTimeout(() => {
      for (const position of cards.keys()) load(data.chunkNames[data.chunkOf[order[position]]]);
      for (const name of chunks.keys()) {
        if (chunks.size <= CHUNKS) break;
        chunks.delete(name);
      }
    }, SETTLED);
  }

  function load(name) {
    const known = chunks.get(name);
    chunks.delete(name); // and in again, as the latest
    chunks.set(name, known ?? null);
    if (known !== undefined) return;
    const script = document.createElement("script");
    script.src = `review/${name}.js`;
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  }

  function showThumbnail(card, photo) {
    const chunk = chunks.get(data.chunkNames[data.chunkOf[photo]]);
    const image = $("img", card);
    if (chunk && !image.hasAttribute("src")) image.src = thumbnail(photo);
  }

  function thumbnail(photo) {
    const chunk = chunks.get(data.chunkNames[data.chunkOf[photo]]);
    return chunk ? `data:image/jpeg;base64,${chunk[data.placeInChunk[photo]]}` : "";
  }

  review.chunk = ([name, ...thumbnails]) => {
    chunks.set(name, thumbnails);
    for (const [position, card] of cards) showThumbnail(card, order[position]);
  };

  // ---- A closer look: the photo itself if it is still where it was, or else its thumbnail ----

  function photoUrl(photo) {
    const escaped = [...data.names[photo]].map((letter) => {
      const code = letter.codePointAt(0);
      // A byte of a name that is not UTF-8 came as a lone surrogate.
      if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16)}`;
      return letter === "/" ? letter : encodeURIComponent(letter);
    });
    return `${data.photosUrl}/${escaped.join("")}`;
  }

  function openCloser() {
    if (!order.length) return;
    closer.showModal();
    closer.focus();
    lookCloser();
  }

  function lookCloser() {
    const photo = order[current];
    const image = $("img", closer);
    image.src = thumbnail(photo);
    if (data.photosUrl) {
      const whole = new Image();
      whole.onload = () => {
        if (closer.open && order[current] === photo) image.src = whole.src;
      };
      whole.src = photoUrl(photo);
    }
    refreshCloser(photo);
  }

  function refreshCloser(photo) {
    const [width, height] = data.sizes.subarray(2 * photo, 2 * photo + 2);
    const frame = $(".photo", closer);
    draw(frame, photo, frame.clientWidth - 24, frame.clientHeight - 24, box);
    closer.classList.toggle("ignored", data.ignored[photo] === 1);
    $("h2 bdi", closer).textContent = data.names[photo];
    $(".facts", closer).textContent =
      `${width} × ${height} px · ${facts(photo)} · ` +
      `${number(current + 1)} of ${number(order.length)}`;
    $("[name=ignore]", closer).textContent = data.ignored[photo] ? "Learn from photo" : "Ignore photo";
    $("ol", closer).replaceChildren(...boxesOf(photo).map(listBox));
  }

  function listBox(i) {
    const line = document.createElement("li");
    line.dataset.box = i;
    line.className = [data.dropped[i] && "dropped", i === box && "current"].filter(Boolean).join(" ");
    const key = document.createElement("i");
    key.className = `key ${KINDS[data.kinds[i]]}`;
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = `${shortScore(data.scores[i])} · ${Math.round(data.pixels[i])} px`;
    what.title = describe(i);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = data.dropped[i] ? "Keep" : "Drop";
    button.setAttribute("aria-label", `${button.textContent}: ${describe(i)}`);
    line.append(key, what, button);
    return line;
  }

  closer.addEventListener("click", (event) => {
    const { name } = event.target;
    if (name === "ignore") toggleIgnored(order[current]);
    else if (name === "previous") go(current - 1);
    else if (name === "next") go(current + 1);
    else if (name === "close") closer.close();
    else if (event.target.closest("g, li button")) {
      box = Number(event.target.closest("[data-box]").dataset.box);
      toggleBox(box);
    } else if (event.target.closest("li")) {
      box = Number(event.target.closest("li").dataset.box);
      refresh(current);
    }
  });
  closer.addEventListener("close", () => scroller.focus());

  // ---- Moving about ----

  function go(position) {
    if (!order.length) return;
    const before = current;
    current = Math.min(order.length - 1, Math.max(0, position));
    if (current !== before) box = -1;
    reveal();
    refresh(before);
    refresh(current);
    if (closer.open) lookCloser();
  }

  function reveal() {
    const top = Math.floor(current / columns) * ROW;
    const bottom = top + ROW + 2 * GAP;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = bottom - scroller.clientHeight;
    render();
  }

  function goToBox(step) {
    const boxes = boxesOf(order[current]);
    if (!boxes.length) return;
    const wanted = boxes.some((i) => matches[i]) ? boxes.filter((i) => matches[i]) : boxes;
    const at = wanted.indexOf(box);
    const next = at < 0 && step < 0 ? -1 : at + step;
    box = wanted[(next + wanted.length) % wanted.length];
    refresh(current);
    announce(`box ${wanted.indexOf(box) + 1} of ${wanted.length}: ${describe(box)}`);
  }

  const announce = (text) => ($("#announcer").textContent = text);

  function press(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("form") || !data || !order.length) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW)) * columns;
    const open = closer.open;
    const actions = {
      ArrowLeft: () => go(current - 1),
      ArrowRight: () => go(current + 1),
      ArrowUp: () => (open ? goToBox(-1) : current >= columns && go(current - columns)),
      ArrowDown: () => (open ? goToBox(1) : current + columns < order.length && go(current + columns)),
      PageUp: () => go(current - page),
      PageDown: () => go(current + page),
      Home: () => go(0),
      End: () => go(order.length - 1),
      n: () => goToBox(1),
      p: () => goToBox(-1),
      x: () => {
        if (box < 0) goToBox(1);
        if (box >= 0) toggleBox(box);
      },
      i: () => toggleIgnored(order[current]),
      s: save,
    };
    if (!event.target.closest("button")) actions.Enter = () => (open ? closer.close() : openCloser());
    if (!actions[key]) return;
    event.preventDefault();
    actions[key]();
  }

  // ---- From here on it runs ----

  review.missing = () => {
    $("#nothing").hidden = false;
    $("#nothing").textContent = "The folder “review” is not beside this page: keep them together.";
  };

  review.index = (index) => {
    data = read(index);
    document.title = `Review ${index.source}`;
    $("#source").textContent = index.source || "labels";
    const secondOpinion = Boolean(index.about.second_opinion);
    const labels = $$("#kinds label");
    labels.forEach((label, kind) => ($("output", label).textContent = number(data.totals[kind])));
    labels[2].hidden = !secondOpinion;
    $("[value=disagreement]").hidden = !secondOpinion;
    histograms.push(
      histogram($("#score-histogram"), data.scores, SCORE_EDGES, "score", ""),
      histogram($("#size-histogram"), data.pixels, SIZE_EDGES, "size", " px"),
    );
    recall();
    select();
    scroller.focus({ preventScroll: true });

    let waiting = 0;
    filters.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(select, 120);
    });
    filters.addEventListener("reset", () => setTimeout(select));
    filters.addEventListener("submit", (event) => event.preventDefault());
    scroller.addEventListener("scroll", () => requestAnimationFrame(render), { passive: true });
    scroller.addEventListener("click", (event) => {
      const card = event.target.closest("figure");
      if (!card) return;
      go(Number(card.id.slice("photo-".length)));
      const hit = event.target.closest("g");
      if (hit) toggleBox((box = Number(hit.dataset.box)));
    });
    scroller.addEventListener("dblclick", (event) => {
      if (event.target.closest("figure") && !event.target.closest("g")) openCloser();
    });
    new ResizeObserver(() => {
      layout();
      if (closer.open) refresh(current);
    }).observe(scroller);
    document.addEventListener("keydown", press);
    $("#save").addEventListener("click", save);
  };
})();
