"use strict";

// Places of boxes, `[ymin, xmin, ymax, xmax]` on the unit square of the photo. Whatever comes out is
// on the photo, at least `least` ([height, width]) in size, and of 32 bits, as labels are.

const geometry = (() => {
  const between = (value, low, high) => Math.min(high, Math.max(low, value));

  // An axis: at least so long, and from 0 to 1.
  function settled(low, high, least) {
    const size = Math.min(1, Math.max(high - low, least));
    const start = between(low, 0, 1 - size);
    return [Math.fround(start), Math.fround(Math.min(1, start + size))];
  }

  function fitted([top, left, bottom, right], least) {
    const [ymin, ymax] = settled(top, bottom, least[0]);
    const [xmin, xmax] = settled(left, right, least[1]);
    return [ymin, xmin, ymax, xmax];
  }

  function moved([top, left, bottom, right], [down, across], least) {
    return fitted([top + down, left + across, bottom + down, right + across], least);
  }

  // `sides` are indices into the place; each goes as far as the side opposite it, or the photo, lets it.
  function resized(place, sides, [down, across], least) {
    const found = [...place];
    for (const side of sides) {
      const [axis, isFar] = [side % 2, side > 1];
      const opposite = place[(side + 2) % 4];
      const wanted = place[side] + (axis ? across : down);
      found[side] = isFar
        ? between(wanted, Math.min(1, opposite + least[axis]), 1)
        : between(wanted, 0, Math.max(0, opposite - least[axis]));
    }
    return fitted(found, least);
  }

  // Between two points, `[y, x]`, in whatever order.
  function spanned(one, other, least) {
    const [[top, bottom], [left, right]] = [0, 1].map((axis) =>
      [one[axis], other[axis]].map((value) => between(value, 0, 1)).sort((a, b) => a - b),
    );
    return fitted([top, left, bottom, right], least);
  }

  return { moved, resized, spanned };
})();
