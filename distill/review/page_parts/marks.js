"use strict";

// What a person says of photos and boxes. Kept by the browser at once, saved to a file when asked.
//
// A field of marks is a Map from what it is said of (a photo or a box, as numbers) to what is said;
// what is in none of them is as the labels say. `applied` is what the labels have taken in already.

const marks = (() => {
  // In a file a box is drawn before anything else is said of it.
  const FIELDS = ["ignore", "draw", "drop", "move", "class"];
  const fields = () => Object.fromEntries(FIELDS.map((field) => [field, new Map()]));
  let applied = fields();
  const now = fields();
  const written = fields(); // what a saved file speaks of: if it is taken back, that is said, too
  const steps = []; // what undo takes back: [photo, [field, key, value before] ...]
  let saved = false; // the marks as they are now lie in a file

  const get = (field, key) => now[field].get(key);
  const same = (one, other) => one === other || (Array.isArray(one) && samePlace(one, other ?? []));

  function put(field, key, value) {
    if (value === undefined) now[field].delete(key);
    else now[field].set(key, value);
  }

  // One step of a person: any number of [field, key, value].
  function change(photo, changes) {
    if (changes.every(([field, key, value]) => same(value, get(field, key)))) return;
    steps.push([photo, changes.map(([field, key]) => [field, key, get(field, key)])]);
    changes.forEach((each) => put(...each));
    keep();
  }

  // The photo of the step that was taken back, and the box, or -1.
  function undo() {
    const [photo, changes] = steps.pop() ?? [];
    if (!changes) return [];
    changes.forEach((each) => put(...each));
    keep();
    const [field, key] = changes[0];
    return [photo, field !== "ignore" && boxesOf(photo).includes(key) ? key : -1];
  }

  // ---- As a file has them ----

  // [photo, field, key] of all that is to be said, in the order of the photos.
  function pending() {
    const found = [];
    for (const field of FIELDS)
      for (const key of new Set([now, applied, written].flatMap((each) => [...each[field].keys()]))) {
        const isNew = !same(get(field, key), applied[field].get(key));
        if ((isNew || written[field].has(key)) && isThere(field, key))
          found.push([field === "ignore" ? key : photoOf(key), field, key]);
      }
    return found.sort(([one], [other]) => one - other);
  }

  const changes = () => pending().map(([, field, key]) => toMark(field, key));

  // Of a box that was drawn and taken away nothing else is said.
  const isThere = (field, key) =>
    field === "ignore" || field === "draw" || key < labels.total || get("draw", key) !== undefined;

  function toMark(field, key) {
    const said = get(field, key) ?? false;
    if (field === "ignore") return { photo: labels.names[key], ignore: said };
    const isClass = said !== false && (field === "draw" || field === "class");
    return {
      photo: labels.names[photoOf(key)],
      box: [...namedPlace(key)],
      [field]: isClass ? (labels.classNames[said - 1] ?? WORDS[said]) : said,
    };
  }

  function fromMarks(marks) {
    const places = new Map(labels.names.map((name, photo) => [name, photo]));
    for (const mark of marks) {
      const photo = places.get(mark.photo);
      if (photo === undefined) continue; // set on labels that have changed since
      const field = FIELDS.find((each) => each in mark);
      const value = fromMark(field, mark[field]);
      if (field === "ignore") put(field, photo, value);
      else if (field === "draw") recallDrawn(boxAt(photo, mark.box), value);
      else
        for (const i of everyBoxOf(photo))
          if (samePlace(mark.box, namedPlace(i))) put(field, i, value);
    }
  }

  function fromMark(field, said) {
    if (said === false) return undefined;
    if (field !== "draw" && field !== "class") return said;
    const known = labels.classNames.indexOf(said) + 1;
    return known || [IGNORE, UNKNOWN].find((classId) => WORDS[classId] === said);
  }

  // Not if the labels have it by now.
  function recallDrawn(box, value) {
    if (box >= labels.total) put("draw", box, value);
  }

  // ---- Kept, and saved ----

  const storage = () => `distill marks ${labels.id}`;

  function recall() {
    labels.ignored.forEach((value, photo) => value && now.ignore.set(photo, true));
    labels.dropped.forEach((value, i) => value && now.drop.set(i, true));
    for (const [i, place] of labels.edits.moved) now.move.set(i, place);
    for (const [i, classId] of labels.edits.reclassed) now.class.set(i, classId);
    applied = Object.fromEntries(FIELDS.map((field) => [field, new Map(now[field])]));
    try {
      const text = localStorage.getItem(storage());
      if (text) fromMarks(JSON.parse(text).marks);
    } catch {
      // The browser keeps nothing for pages from the disk; the file is what counts.
    }
    keep(); // what the labels have taken in since is forgotten
  }

  function keep() {
    saved = false;
    const marks = changes();
    try {
      localStorage.setItem(storage(), JSON.stringify({ marks }));
    } catch {
      // As above.
    }
    report(marks.length);
  }

  function report(marks) {
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
    for (const [, field, key] of pending()) written[field].set(key, true);
    saved = true;
    report(marks.length);
    announce(`${count(marks.length, "mark")} saved to marks.json`);
  }

  return { get, change, undo, recall, save };
})();
