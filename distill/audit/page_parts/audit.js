"use strict";

// One box of the sample after the other, on its photo. All that is shown is in this one file.
(() => {
  const KINDS = ["label", "region"];
  const audit = JSON.parse(document.getElementById("audit").textContent);
  const { photos, items } = audit;
  const right = new Array(items.length); // true, false, or undefined as long as it is not judged
  const missed = new Map(); // photo: how many of its faces have no box
  const undone = []; // how to undo each answer
  const things = audit.classes.join(" or ");
  let current = 0;
  let unsaved = false;

  const $ = (selector) => document.querySelector(selector);
  const storage = `distill audit ${audit.id} ${audit.file}`;

  // ---- Answers: kept by the browser at once, saved to a file when asked ----

  const isJudged = (i) => right[i] !== undefined;

  function answers() {
    return items.flatMap(({ photo, box, kind }, i) => {
      if (!isJudged(i)) return [];
      const { name, boxes } = photos[photo];
      return {
        photo: name,
        ...(kind !== "region" && { missed: missed.get(photo) ?? 0 }), // else it is not asked
        ...(box >= 0 && { box: boxes[box], right: right[i] }),
      };
    });
  }

  function recall() {
    try {
      const kept = JSON.parse(localStorage.getItem(storage));
      kept.right.forEach((answer, i) => (right[i] = answer ?? undefined));
      kept.missed.forEach(([photo, number]) => missed.set(photo, number));
    } catch {
      // Nothing is kept, or the browser keeps nothing for pages from the disk.
    }
  }

  function keep() {
    unsaved = true;
    const text = JSON.stringify({ right: Array.from(right, (a) => a ?? null), missed: [...missed] });
    try {
      localStorage.setItem(storage, text);
    } catch {
      // As above: the file is what counts.
    }
  }

  function save() {
    const lines = answers().map((answer) => JSON.stringify(answer)).join(",\n");
    if (!lines) return;
    const text = `{"audit": ${JSON.stringify(audit.id)}, "answers": [\n${lines}\n]}\n`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = audit.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    unsaved = false;
    show();
  }

  function change(set, takeBack) {
    set();
    undone.push(takeBack);
    keep();
    show();
  }

  function judge(answer) {
    const [i, before] = [current, right[current]];
    if (items[i].box < 0 && !answer) return; // nothing here can be wrong
    change(
      () => ((right[i] = answer), (current = Math.min(items.length - 1, i + 1))),
      () => ((right[i] = before), (current = i)),
    );
  }

  function miss(step) {
    const { photo, kind } = items[current];
    const [i, before] = [current, missed.get(photo) ?? 0];
    if (kind === "region" || before + step < 0) return;
    change(
      () => missed.set(photo, before + step),
      () => (missed.set(photo, before), (current = i)),
    );
  }

  function undo() {
    undone.pop()?.();
    keep();
    show();
  }

  function go(position) {
    current = Math.min(items.length - 1, Math.max(0, position));
    show();
  }

  // ---- What is seen ----

  const shape = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  function draw(svg, photo, view, boxes, asked) {
    const { width, height, jpeg } = photo;
    const image = shape("image", { width, height, href: `data:image/jpeg;base64,${jpeg}` });
    const drawn = boxes.flatMap((i) => {
      const [top, left, bottom, right] = photo.boxes[i];
      const place = {
        x: left * width,
        y: top * height,
        width: (right - left) * width,
        height: (bottom - top) * height,
      };
      const [halo, line] = ["halo", KINDS[photo.kinds[i]]].map((name) =>
        shape("rect", { class: i === asked ? `${name} asked` : name, ...place }),
      );
      line.dataset.box = i;
      return [halo, line];
    });
    svg.setAttribute("viewBox", view.join(" "));
    svg.replaceChildren(image, ...drawn);
  }

  // The box with half as much around it as it measures.
  function near([top, left, bottom, right], { width, height }) {
    const side = 2 * Math.max((right - left) * width, (bottom - top) * height);
    const [x, y] = [((left + right) / 2) * width, ((top + bottom) / 2) * height];
    return [x - side / 2, y - side / 2, side, side];
  }

  function showPhoto() {
    const { photo: place, box } = items[current];
    const photo = photos[place];
    const order = [...photo.boxes.keys()].filter((i) => i !== box);
    const all = box < 0 ? order : [...order, box]; // what is asked about lies on top
    draw($("#whole"), photo, [0, 0, photo.width, photo.height], all, box);
    $("#near").toggleAttribute("hidden", box < 0);
    if (box >= 0) draw($("#near"), photo, near(photo.boxes[box], photo), [], -1);
    showRuler(photo);
  }

  // How large a face is, on the screen, that is just large enough to count.
  function showRuler(photo) {
    const frame = $("#whole");
    const scale = Math.min(frame.clientWidth / photo.width, frame.clientHeight / photo.height);
    const least = audit.min_face;
    $("#ruler").hidden = !least;
    const side = Math.max(2, (least ?? 0) * scale);
    const svg = $("#ruler svg");
    svg.setAttribute("width", side + 2);
    svg.setAttribute("height", side + 2);
    svg.replaceChildren(shape("rect", { x: 1, y: 1, width: side, height: side }));
    $("#ruler span").textContent = `smaller ones (${least} px) do not count`;
  }

  function showQuestion() {
    const { photo, box, kind } = items[current];
    const name = audit.classes[photos[photo].classes[box] - 1] ?? things;
    const missing = `Count each ${things} that has no box on it, neither green nor yellow.`;
    $("#question").textContent =
      box < 0 ? `Is a ${things} missed here?` : `Is this a ${name}, and the box on it?`;
    $("#hint").textContent = {
      label: missing,
      region: "This box is no label, but may be one at another threshold.",
      empty: `This photo has no label. ${missing}`,
    }[kind];
    $("[name=right] span").textContent = box < 0 ? "Counted" : "Right";
    $("[name=wrong]").hidden = box < 0;
    $("[name=right]").setAttribute("aria-pressed", right[current] === true);
    $("[name=wrong]").setAttribute("aria-pressed", right[current] === false);
    $("#missing").hidden = kind === "region";
    $("#missed").textContent = missed.get(photo) ?? 0;
    $("#place").textContent = `${current + 1} of ${items.length} · ${photos[photo].name}`;
  }

  function show() {
    const done = items.filter((_, i) => isJudged(i)).length;
    const state = done && !unsaved ? "saved" : done === items.length ? "all judged: save them" : "";
    $("#bar").value = done / items.length;
    $("#progress").textContent = `${done} of ${items.length} judged${state && `, ${state}`}`;
    $("#save").disabled = done === 0;
    showPhoto();
    showQuestion();
  }

  const actions = {
    r: () => judge(true),
    w: () => judge(false),
    m: () => miss(1),
    M: () => miss(-1),
    u: undo,
    s: save,
    ArrowLeft: () => go(current - 1),
    ArrowRight: () => go(current + 1),
    Home: () => go(0),
    End: () => go(items.length - 1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const keys = { right: "r", wrong: "w", missed: "m", fewer: "M" };
    if (button) actions[button.id === "save" ? "s" : keys[button.name]]();
  });
  addEventListener("resize", showPhoto);
  addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault(); // some browsers keep nothing for pages from the disk
  });

  document.title = `Audit of ${audit.source || "labels"}`;
  $("#source").textContent = audit.source || "labels";
  recall();
  unsaved = answers().length > 0;
  current = Math.max(0, items.findIndex((_, i) => !isJudged(i)));
  show();
})();
