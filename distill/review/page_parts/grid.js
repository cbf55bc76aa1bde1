"use strict";

// The photos in rows. Only what can be seen is there.

const grid = (() => {
  const CELL = 188; // least width of a photo's place, pixels
  const ROW = 208; // its height, as the style sheet has it
  const PHOTO = 168; // height of the photo in it
  const GAP = 8; // around it
  const scroller = $("#scroller");
  const runway = $("#runway");
  const cards = new Map(); // position: figure, for what can be seen
  let columns = 1;

  function layout() {
    columns = Math.max(1, Math.floor((scroller.clientWidth - 2 * GAP) / CELL));
    runway.style.height = `${Math.ceil(filters.order.length / columns) * ROW + 2 * GAP}px`;
    render();
  }

  function clear() {
    cards.forEach((card) => card.remove());
    cards.clear();
  }

  function render() {
    const total = filters.order.length;
    const top = Math.floor((scroller.scrollTop - GAP) / ROW) - 1;
    const bottom = Math.ceil((scroller.scrollTop + scroller.clientHeight - GAP) / ROW) + 1;
    const from = Math.max(0, top * columns);
    const to = Math.min(total, bottom * columns);
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
        setAll(card, { "aria-posinset": position + 1, "aria-setsize": total });
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
    thumbnails.loadSoon(() => [...cards.keys()].map((position) => filters.order[position]));
  }

  function refresh(position) {
    const card = cards.get(position);
    if (!card) return;
    const photo = filters.order[position];
    const isCurrent = position === cursor.position;
    card.classList.toggle("ignored", isIgnored(photo));
    card.setAttribute("aria-selected", isCurrent);
    if (isCurrent) scroller.setAttribute("aria-activedescendant", card.id);
    const caption = $("figcaption", card);
    const name = labels.names[photo];
    caption.firstElementChild.textContent = name.slice(name.lastIndexOf("/") + 1);
    caption.firstElementChild.title = name;
    caption.lastElementChild.textContent = facts(photo)
      .replace(/(\d+) dropped/, "✕ $1")
      .replace(/(\d+) edited/, "✎ $1");
    card.setAttribute("aria-label", `${name}, ${facts(photo)}`);
    drawPhoto($(".photo", card), photo, CELL - 2 * GAP, PHOTO, isCurrent ? cursor.box : -1);
    showThumbnail(card, photo);
  }

  function showThumbnail(card, photo) {
    const image = $("img", card);
    const source = thumbnails.source(photo);
    if (source && !image.hasAttribute("src")) image.src = source;
  }

  function showThumbnails() {
    for (const [position, card] of cards) showThumbnail(card, filters.order[position]);
  }

  // Scrolls until the current photo is in sight.
  function reveal() {
    const top = Math.floor(cursor.position / columns) * ROW;
    const bottom = top + ROW + 2 * GAP;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = bottom - scroller.clientHeight;
    render();
  }

  const positionOf = (figure) => Number(figure.id.slice("photo-".length));
  const perPage = () => Math.max(1, Math.floor(scroller.clientHeight / ROW)) * columns;
  const perRow = () => columns;

  return {
    ...{ scroller, clear, layout, perPage, perRow, positionOf, refresh, render, reveal },
    showThumbnails,
  };
})();
