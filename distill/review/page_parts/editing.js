"use strict";

// A box that is being drawn, moved or resized, by mouse or by keys: a draft until it is let go of.

const editing = (() => {
  const CLICK = 3; // pixels that the mouse may move in a click
  const STEP = 0.01; // of the photo's longer side, for a press of a key; with Ctrl a tenth of it
  const NEW = 0.25; // side of a new box, of the photo's shorter side
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  let draft = null; // { photo, box, place, classId }: box is -1 while it is new
  let held = null; // what the mouse holds: { box, sides, from, at, place }

  const least = (photo) => [...sizeOf(photo)].reverse().map((side) => Math.min(1, labels.leastSide / side));

  function begin(box, place = placeOf(box), classId = classOf(box)) {
    draft = { photo: cursor.photo(), box, place: [...place], classId };
    if (cursor.box !== box) cursor.choose(box);
    else closer.refresh();
  }

  // By keys: the current box, or a new one in the middle.
  function edit() {
    if (cursor.box < 0 && !cursor.step(1)) return draw();
    if (!closer.dialog.open) closer.open();
    begin(cursor.box);
    announce("arrows move the box, with Shift they resize it; Enter when it is right");
  }

  function draw() {
    if (!closer.dialog.open) closer.open();
    const [width, height] = sizeOf(cursor.photo());
    const side = (NEW * Math.min(width, height)) / 2;
    const [down, across] = [side / height, side / width];
    const place = [0.5 - down, 0.5 - across, 0.5 + down, 0.5 + across];
    begin(-1, geometry.moved(place, [0, 0], least(cursor.photo())), 1);
    announce("a new box: arrows move it, with Shift they resize it; Enter when it is right");
  }

  // The draft becomes what the person says of the box.
  function finish() {
    if (!draft) return;
    const { photo, box, place, classId } = draft;
    const isNew = box < 0;
    const isMoved = !isNew && !samePlace(place, placeOf(box));
    cancel();
    if (isNew) addBox(photo, place, classId);
    else if (isMoved) moveBox(box, place);
  }

  function cancel() {
    [draft, held] = [null, null];
    closer.refresh();
  }

  // ---- By keys: true if the key was for the draft ----

  function press(event) {
    if (!draft || event.altKey || event.metaKey) return false;
    const { key } = event;
    const done = { Enter: finish, e: finish, Escape: cancel, x: cancel }[key];
    if (ARROWS[key]) nudge(ARROWS[key], event.shiftKey, event.ctrlKey);
    else if (done) done();
    else if (classOfKey(key) && draft.box < 0) draft.classId = classOfKey(key);
    else if (key !== "Shift" && key !== "Control") {
      finish(); // and then what the key is for
      return false;
    }
    event.preventDefault();
    closer.redraw();
    return true;
  }

  // What a box may be besides a class. Where there is one class, none is unknown.
  const withoutClass = () => (labels.classNames.length > 1 ? [UNKNOWN, IGNORE] : [IGNORE]);

  function classOfKey(key) {
    if (key === "?") return withoutClass().find((classId) => classId === UNKNOWN);
    if (!/^\d$/.test(key) || Number(key) > labels.classNames.length) return undefined;
    return Number(key) || IGNORE;
  }

  function nudge([down, across], resizes, finer) {
    const [width, height] = sizeOf(draft.photo);
    const step = STEP * Math.max(width, height) * (finer ? 0.1 : 1);
    const by = [(down * step) / height, (across * step) / width];
    draft.place = resizes
      ? geometry.resized(draft.place, HANDLES.se, by, least(draft.photo))
      : geometry.moved(draft.place, by, least(draft.photo));
  }

  // ---- By mouse: a box moves, its handles resize it, elsewhere a new one is drawn ----

  function listen(frame) {
    const point = (event) => {
      const place = $("svg", frame).getBoundingClientRect();
      return [(event.clientY - place.top) / place.height, (event.clientX - place.left) / place.width];
    };
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      let box = Number(event.target.closest("g")?.dataset.box ?? -1);
      const wasNew = draft?.box === -1 && event.target.closest(".draft");
      finish();
      if (wasNew) box = cursor.box;
      const sides = HANDLES[event.target.dataset.handle] ?? null;
      const draws = box < 0 || event.shiftKey || isDropped(box);
      held = { box, sides, draws, from: point(event), at: [event.clientX, event.clientY] };
      frame.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    frame.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [x, y] = [event.clientX - held.at[0], event.clientY - held.at[1]];
      if (!draft && Math.hypot(x, y) < CLICK) return;
      if (!draft && held.draws) begin(-1, [0, 0, 0, 0], 1);
      else if (!draft) begin(held.box);
      drag(point(event));
      closer.redraw();
    });
    frame.addEventListener("pointerup", () => {
      const clicked = held && !draft ? held.box : -1;
      held = null;
      finish();
      if (clicked >= 0) toggleBox(clicked);
    });
    frame.addEventListener("pointercancel", cancel);
  }

  function drag(to) {
    const { box, sides, draws, from } = held;
    const by = [to[0] - from[0], to[1] - from[1]];
    const size = least(draft.photo);
    if (draws) draft.place = geometry.spanned(from, to, size);
    else if (sides) draft.place = geometry.resized(placeOf(box), sides, by, size);
    else draft.place = geometry.moved(placeOf(box), by, size);
  }

  return { draft: () => draft, edit, draw, finish, cancel, press, listen, classOfKey, withoutClass };
})();
