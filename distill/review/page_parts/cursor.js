"use strict";

// The current photo and, where there is one, its current box.

const cursor = (() => {
  const found = {
    position: 0, // in filters.order
    box: -1,
    photo: () => filters.order[found.position],
    ...{ reset, go, choose, step, refresh },
  };

  function reset() {
    [found.position, found.box] = [0, -1];
  }

  function go(position) {
    if (!filters.order.length) return;
    editing.finish();
    const before = found.position;
    found.position = Math.min(filters.order.length - 1, Math.max(0, position));
    if (found.position !== before) found.box = -1;
    grid.reveal();
    grid.refresh(before);
    grid.refresh(found.position);
    if (closer.dialog.open) closer.look();
  }

  function choose(box) {
    found.box = box;
    refresh();
  }

  // To the next of the boxes that the filters ask for, or of all; false if the photo has none.
  function step(by) {
    const boxes = boxesOf(found.photo());
    if (!boxes.length) return false;
    const asked = boxes.filter((i) => filters.matches[i] !== 0);
    const wanted = asked.length ? asked : boxes;
    const at = wanted.indexOf(found.box);
    const next = at < 0 && by < 0 ? -1 : at + by;
    choose(wanted[(next + wanted.length) % wanted.length]);
    announce(`box ${wanted.indexOf(found.box) + 1} of ${wanted.length}: ${describe(found.box)}`);
    return true;
  }

  function refresh() {
    grid.refresh(found.position);
    closer.refresh();
  }

  return found;
})();
