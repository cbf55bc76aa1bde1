"use strict";

// What keys and clicks do, and the start of it all. A page opened from the disk may run scripts
// beside it but not read files. So the data are scripts: index.js calls review.index once, a file
// of thumbnails calls review.chunk.

function press(event) {
  const { key } = event;
  if (event.target.closest("form, select") || !labels || !filters.order.length) return;
  if (editing.press(event)) return;
  if (event.metaKey || event.altKey || (event.ctrlKey && key !== "z")) return;
  const open = closer.dialog.open;
  const at = cursor.position;
  const row = grid.perRow();
  const actions = {
    ArrowLeft: () => cursor.go(at - 1),
    ArrowRight: () => cursor.go(at + 1),
    ArrowUp: () => (open ? cursor.step(-1) : at >= row && cursor.go(at - row)),
    ArrowDown: () =>
      open ? cursor.step(1) : at + row < filters.order.length && cursor.go(at + row),
    PageUp: () => cursor.go(at - grid.perPage()),
    PageDown: () => cursor.go(at + grid.perPage()),
    Home: () => cursor.go(0),
    End: () => cursor.go(filters.order.length - 1),
    n: () => cursor.step(1),
    p: () => cursor.step(-1),
    x: () => (cursor.box >= 0 || cursor.step(1)) && toggleBox(cursor.box),
    e: editing.edit,
    d: editing.draw,
    i: toggleIgnored,
    u: undo,
    s: marks.save,
  };
  if (event.ctrlKey) actions.z = undo;
  const classId = editing.classOfKey(key);
  if (classId) actions[key] = () => (cursor.box >= 0 || cursor.step(1)) && setClass(cursor.box, classId);
  if (!event.target.closest("button"))
    actions.Enter = () => (open ? closer.dialog.close() : closer.open());
  if (!actions[key]) return;
  event.preventDefault();
  actions[key]();
}

const review = (() => {
  const histograms = [];

  function select() {
    filters.select();
    cursor.reset();
    histograms.forEach((each) => each.draw());
    filters.summarize();
    grid.clear();
    grid.layout();
    grid.reveal();
  }

  function index(content) {
    labels = readLabels(content);
    document.title = `Review ${content.source}`;
    $("#source").textContent = content.source || "labels";
    const secondOpinion = Boolean(content.about.second_opinion);
    const kinds = $$("#kinds label");
    kinds.forEach((label, kind) => ($("output", label).textContent = number(labels.totals[kind])));
    kinds[2].hidden = !secondOpinion;
    $$(".of-classes").forEach((line) => (line.hidden = labels.classNames.length < 2));
    $("[value=disagreement]").hidden = !secondOpinion;
    histograms.push(
      histogram($("#score-histogram"), labels.scores, SCORE_EDGES, "score", "", select),
      histogram($("#size-histogram"), labels.pixels, SIZE_EDGES, "size", " px", select),
    );
    marks.recall();
    select();
    grid.scroller.focus({ preventScroll: true });
    listen();
  }

  function listen() {
    const { scroller } = grid;
    let waiting = 0;
    filters.form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(select, 120);
    });
    filters.form.addEventListener("reset", () => setTimeout(select));
    filters.form.addEventListener("submit", (event) => event.preventDefault());
    scroller.addEventListener("scroll", () => requestAnimationFrame(grid.render), {
      passive: true,
    });
    scroller.addEventListener("click", (event) => {
      const card = event.target.closest("figure");
      if (!card) return;
      cursor.go(grid.positionOf(card));
      const hit = event.target.closest("g");
      if (hit) toggleBox(Number(hit.dataset.box));
    });
    scroller.addEventListener("dblclick", (event) => {
      if (event.target.closest("figure") && !event.target.closest("g")) closer.open();
    });
    new ResizeObserver(() => {
      grid.layout();
      cursor.refresh();
    }).observe(scroller);
    document.addEventListener("keydown", press);
    $("#save").addEventListener("click", marks.save);
    editing.listen($(".photo", closer.dialog));
  }

  function chunk(content) {
    thumbnails.take(content);
    grid.showThumbnails();
    closer.showThumbnail();
  }

  function missing() {
    $("#nothing").hidden = false;
    $("#nothing").textContent =
      "The folder “review” is not beside this page: keep them together.";
  }

  return { index, chunk, missing };
})();
