"use strict";

// What a person can say of the current photo and its boxes: each is one step that can be undone.

function toggleIgnored() {
  const photo = cursor.photo();
  marks.change(photo, [["ignore", photo, isIgnored(photo) ? undefined : true]]);
  cursor.refresh();
  announce(isIgnored(photo) ? "photo ignored" : "photo not ignored");
}

// A box that was drawn here and is not in the labels is taken away, rather than shown as dropped.
function toggleBox(i) {
  const isHere = i >= labels.total;
  const said = isHere ? ["draw", i, undefined] : ["drop", i, isDropped(i) ? undefined : true];
  marks.change(photoOf(i), [said]);
  cursor.choose(isHere ? -1 : i);
  announce(isHere ? "box taken away" : isDropped(i) ? "box dropped" : "box kept");
}

function setClass(i, classId) {
  marks.change(photoOf(i), [ofClass(i, classId), ["drop", i, undefined]]);
  cursor.choose(i);
  announce(nameOfClass(classId));
}

function moveBox(i, place) {
  const moved = samePlace(place, namedPlace(i)) ? undefined : place;
  marks.change(photoOf(i), [
    ["move", i, moved],
    ["drop", i, undefined],
  ]);
  cursor.choose(i);
  announce(`box moved: ${describe(i)}`);
}

// Where there is one already, it is as if it were drawn now.
function addBox(photo, place, classId) {
  const i = boxAt(photo, place);
  marks.change(photo, [
    ofClass(i, classId),
    ["drop", i, undefined],
    ["move", i, undefined],
  ]);
  cursor.choose(i);
  announce(`box drawn: ${describe(i)}`);
}

function ofClass(i, classId) {
  if (i >= labels.total) return ["draw", i, classId];
  return ["class", i, classId === labels.classes[i] ? undefined : classId];
}

function undo() {
  const [photo, box] = marks.undo();
  if (photo === undefined) return announce("nothing to undo");
  const position = filters.order.indexOf(photo);
  if (position >= 0 && position !== cursor.position) cursor.go(position);
  if (position >= 0) cursor.choose(box);
  announce("undone");
}
