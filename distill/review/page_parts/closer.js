"use strict";

// A closer look: the photo itself if it is still where it was, or else its thumbnail.

const closer = (() => {
  const dialog = $("#closer");

  function open() {
    if (!filters.order.length) return;
    dialog.showModal();
    dialog.focus();
    look();
  }

  function look() {
    const photo = cursor.photo();
    const image = $("img", dialog);
    image.removeAttribute("src");
    showThumbnail();
    if (labels.photosUrl) {
      const whole = new Image();
      whole.onload = () => {
        if (dialog.open && cursor.photo() === photo) image.src = whole.src;
      };
      whole.src = photoUrl(photo);
    }
    refresh();
  }

  // Unless there is something to see already; it may come later than the look.
  function showThumbnail() {
    const image = $("img", dialog);
    const source = dialog.open && thumbnails.source(cursor.photo());
    if (source && !image.hasAttribute("src")) image.src = source;
  }

  function photoUrl(photo) {
    const escaped = [...labels.names[photo]].map((letter) => {
      const code = letter.codePointAt(0);
      // A byte of a name that is not UTF-8 came as a lone surrogate.
      if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16)}`;
      return letter === "/" ? letter : encodeURIComponent(letter);
    });
    return `${labels.photosUrl}/${escaped.join("")}`;
  }

  function refresh() {
    if (!dialog.open) return;
    const photo = cursor.photo();
    const [width, height] = sizeOf(photo);
    redraw();
    dialog.classList.toggle("ignored", isIgnored(photo));
    $("h2 bdi", dialog).textContent = labels.names[photo];
    $(".facts", dialog).textContent =
      `${width} × ${height} px · ${facts(photo)} · ` +
      `${number(cursor.position + 1)} of ${number(filters.order.length)}`;
    $("[name=ignore]", dialog).textContent = isIgnored(photo)
      ? "Learn from photo"
      : "Ignore photo";
    $("ol", dialog).replaceChildren(...boxesOf(photo).map(listBox));
  }

  // The photo and its boxes alone, as often as the mouse moves.
  function redraw() {
    const frame = $(".photo", dialog);
    const [width, height] = [frame.clientWidth - 24, frame.clientHeight - 24];
    const how = { draft: editing.draft(), handles: true };
    drawPhoto(frame, cursor.photo(), width, height, cursor.box, how);
  }

  function listBox(i) {
    const line = document.createElement("li");
    line.dataset.box = i;
    line.classList.toggle("dropped", isDropped(i));
    line.classList.toggle("current", i === cursor.box);
    const key = document.createElement("i");
    key.className = `key ${KINDS[kindOf(i)]} ${isEdited(i) ? "edited" : ""}`;
    const what = document.createElement("span");
    what.className = "what";
    const score = isDrawn(i) ? "drawn" : shortScore(labels.scores[i]);
    what.textContent = `${score} · ${Math.round(pixelsOf(i))} px`;
    what.title = describe(i);
    line.append(key, what, classChoice(i), button("drop", isDropped(i) ? "Keep" : "Drop", i));
    return line;
  }

  // A region becomes a face by one click; a face has a list of what else it may be.
  function classChoice(i) {
    if (classOf(i) === IGNORE) return button("promote", nameOfClass(1), i);
    const choice = document.createElement("select");
    choice.setAttribute("aria-label", `class: ${describe(i)}`);
    for (const classId of [...range(1, labels.classNames.length + 1), ...editing.withoutClass()])
      choice.add(new Option(WORDS[classId] ?? nameOfClass(classId), classId));
    choice.value = classOf(i);
    return choice;
  }

  function button(name, text, i) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", name, textContent: text });
    made.setAttribute("aria-label", `${text}: ${describe(i)}`);
    return made;
  }

  dialog.addEventListener("click", ({ target }) => {
    const line = target.closest("li");
    const box = Number(line?.dataset.box);
    const { position } = cursor;
    const actions = {
      ignore: toggleIgnored,
      draw: editing.draw,
      undo,
      previous: () => cursor.go(position - 1),
      next: () => cursor.go(position + 1),
      close: () => dialog.close(),
      drop: () => toggleBox(box),
      promote: () => setClass(box, 1),
    };
    if (target.name in actions) actions[target.name]();
    else if (line && !target.closest("select")) cursor.choose(box);
    if (line && dialog.open) dialog.focus(); // the list is another
  });
  dialog.addEventListener("change", ({ target }) => {
    setClass(Number(target.closest("li").dataset.box), Number(target.value));
    dialog.focus();
  });
  dialog.addEventListener("cancel", (event) => {
    if (!editing.draft()) return;
    event.preventDefault();
    editing.cancel();
  });
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // again, before this was told
    editing.finish();
    grid.scroller.focus();
  });

  return { dialog, open, look, redraw, refresh, showThumbnail };
})();
