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
    const [width, height] = labels.sizes.subarray(2 * photo, 2 * photo + 2);
    const frame = $(".photo", dialog);
    drawPhoto(frame, photo, frame.clientWidth - 24, frame.clientHeight - 24, cursor.box);
    dialog.classList.toggle("ignored", marks.isIgnored(photo));
    $("h2 bdi", dialog).textContent = labels.names[photo];
    $(".facts", dialog).textContent =
      `${width} × ${height} px · ${facts(photo)} · ` +
      `${number(cursor.position + 1)} of ${number(filters.order.length)}`;
    $("[name=ignore]", dialog).textContent = marks.isIgnored(photo)
      ? "Learn from photo"
      : "Ignore photo";
    $("ol", dialog).replaceChildren(...boxesOf(photo).map(listBox));
  }

  function listBox(i) {
    const line = document.createElement("li");
    line.dataset.box = i;
    line.classList.toggle("dropped", marks.isDropped(i));
    line.classList.toggle("current", i === cursor.box);
    const key = document.createElement("i");
    key.className = `key ${KINDS[labels.kinds[i]]}`;
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = `${shortScore(labels.scores[i])} · ${Math.round(labels.pixels[i])} px`;
    what.title = describe(i);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = marks.isDropped(i) ? "Keep" : "Drop";
    button.setAttribute("aria-label", `${button.textContent}: ${describe(i)}`);
    line.append(key, what, button);
    return line;
  }

  dialog.addEventListener("click", (event) => {
    const { name } = event.target;
    if (name === "ignore") toggleIgnored();
    else if (name === "previous") cursor.go(cursor.position - 1);
    else if (name === "next") cursor.go(cursor.position + 1);
    else if (name === "close") dialog.close();
    else if (event.target.closest("g, li button"))
      toggleBox(Number(event.target.closest("[data-box]").dataset.box));
    else if (event.target.closest("li")) cursor.choose(Number(event.target.closest("li").dataset.box));
  });
  dialog.addEventListener("close", () => grid.scroller.focus());

  return { dialog, open, look, refresh, showThumbnail };
})();
