"use strict";

// What a person says of photos and boxes. Kept by the browser at once, saved to a file when asked.
//
// A field of marks is a Map from what it is said of (a photo or a box, as numbers) to what is said;
// what is in none of them is as the labels say. `applied` is what the labels have taken in already.

const marks = (() => {
  const FIELDS = ["ignore", "drop"];
  const fields = () => Object.fromEntries(FIELDS.map((field) => [field, new Map()]));
  let applied = fields();
  let now = fields();
  const steps = []; // what undo takes back: [photo, [field, key, value before] ...]
  let saved = false; // the marks as they are now lie in a file

  const get = (field, key) => now[field].get(key);
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const photoOf = (field, key) => (field === "ignore" ? key : labels.photoOf[key]);

  function put(field, key, value) {
    if (value === undefined) now[field].delete(key);
    else now[field].set(key, value);
  }

  // One step of a person: any number of [field, key, value].
  function change(photo, ...changes) {
    steps.push([photo, changes.map(([field, key]) => [field, key, get(field, key)])]);
    changes.forEach((each) => put(...each));
    keep();
  }

  // The photo of the step that was taken back.
  function undo() {
    const [photo, changes] = steps.pop() ?? [];
    changes?.forEach((each) => put(...each));
    if (changes) keep();
    return photo;
  }

  // ---- As the file has them ----

  function changes() {
    const found = [];
    for (const field of FIELDS)
      for (const key of new Set([...now[field].keys(), ...applied[field].keys()]))
        if (!same(get(field, key), applied[field].get(key)))
          found.push([photoOf(field, key), toMark(field, key)]);
    return found.sort(([one], [other]) => one - other).map(([, mark]) => mark);
  }

  function toMark(field, key) {
    const photo = labels.names[photoOf(field, key)];
    const box = field === "ignore" ? {} : { box: [...placeOf(key)] };
    return { photo, ...box, [field]: get(field, key) ?? false };
  }

  function fromMarks(marks) {
    const places = new Map(labels.names.map((name, photo) => [name, photo]));
    for (const mark of marks) {
      const photo = places.get(mark.photo);
      if (photo === undefined) continue; // set on labels that have changed since
      const field = FIELDS.find((each) => each in mark);
      const keys =
        field === "ignore"
          ? [photo]
          : boxesOf(photo).filter((i) => mark.box.every((side, k) => side === placeOf(i)[k]));
      for (const key of keys) put(field, key, mark[field] || undefined);
    }
  }

  // ---- Kept, and saved ----

  const storage = () => `distill marks ${labels.id}`;

  function recall() {
    labels.ignored.forEach((value, photo) => value && now.ignore.set(photo, true));
    labels.dropped.forEach((value, i) => value && now.drop.set(i, true));
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

  const isIgnored = (photo) => get("ignore", photo) === true;
  const isDropped = (i) => get("drop", i) === true;
  const isMarked = (photo) => isIgnored(photo) || boxesOf(photo).some(isDropped);

  return { change, undo, recall, save, isIgnored, isDropped, isMarked };
})();
