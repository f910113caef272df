// Page of `molsieve report`, 1 of 6: numbers, drawings, tables.
//
// elements.js and the files report_*.js are concatenated in the order base, charts, gallery, run, pair, main, and run as one
// function. Data becomes text nodes and attribute values only, never markup. Drawings are parsed as XML; `drawing` keeps their shapes.

// ---- numbers ----

function whole(number) {
  return INTEGER.format(number ?? 0);
}

// A number of any size with about three significant digits; whole numbers are written out.
function real(number) {
  if (!Number.isFinite(number)) return "–";
  if (number < 0) return `−${real(-number)}`;
  if (Number.isInteger(number)) return INTEGER.format(number);
  if (number >= 1000) return INTEGER.format(number);
  if (number < 0.001) return number.toPrecision(2);
  return number.toFixed(number >= 100 ? 1 : number >= 1 ? 2 : 3);
}

function percent(part, all) {
  if (!all) return "–";
  const share = (100 * part) / all;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  if (share < 100 && share > 99.9) return "> 99.9 %";
  return `${share === 0 || share === 100 ? share : share.toFixed(1)} %`;
}

function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = count > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(count) / 10)) : 0;
  const value = count / 1024 ** power;
  return `${power && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds >= 59.95) {
    const total = Math.round(seconds);
    const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
    return hours ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
  }
  return `${seconds === 0 ? 0 : seconds < 0.1 ? seconds.toPrecision(2) : seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

function plural(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

// The last part of a path, which names a run.
function baseName(path) {
  return path.split("/").filter(Boolean).pop() ?? path;
}

// ---- drawings ----

const SHAPES = new Set([
  "svg",
  "g",
  "path",
  "ellipse",
  "circle",
  "rect",
  "line",
  "polyline",
  "polygon",
  "text",
  "tspan",
  "defs",
]);
const KEPT_ATTRIBUTES = new Set([
  "viewBox",
  "style",
  "transform",
  "d",
  "x",
  "y",
  "x1",
  "y1",
  "x2",
  "y2",
  "cx",
  "cy",
  "r",
  "rx",
  "ry",
  "width",
  "height",
  "points",
  "fill",
  "stroke",
  "stroke-width",
  "opacity",
  "fill-opacity",
  "fill-rule",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "font-size",
  "text-anchor",
  "dy",
  "dx",
]);

// The drawing in the text of an SVG, as an image with this name. Ids and classes are dropped, so that drawings can't affect
// each other; so is everything that is not a plain shape.
function drawing(text, name) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const failed = root.localName !== "svg" || root.querySelector("parsererror");
  if (failed) return h("p.muted", "This drawing can't be read.");
  const image = document.importNode(root, true);
  for (const element of [image, ...image.querySelectorAll("*")]) {
    if (!SHAPES.has(element.localName)) element.remove();
    for (const { name: attribute } of [...element.attributes]) {
      if (!KEPT_ATTRIBUTES.has(attribute)) element.removeAttribute(attribute);
    }
  }
  if (!image.hasAttribute("viewBox")) {
    image.setAttribute(
      "viewBox",
      `0 0 ${parseFloat(root.getAttribute("width")) || 250} ${parseFloat(root.getAttribute("height")) || 200}`,
    );
  }
  image.removeAttribute("width");
  image.removeAttribute("height");
  image.setAttribute("class", "molecule");
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", name);
  return image;
}

// ---- small parts ----

// A section of the page with its heading; `note` is a line below it.
function section(id, title, note, ...children) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    note ? h("p.note", note) : null,
    children,
  );
}

// Terms with their values. Values that are null or undefined are left out with their terms.
function definitions(entries, list = "dl.facts") {
  const known = entries.filter(([, value]) => value !== null && value !== undefined);
  return h(
    list,
    known.map(([term, value]) => h("div", h("dt", term), h("dd", value))),
  );
}

// A part of the page that scrolls sideways when it is too wide, and that the keyboard can scroll.
function wide(label, ...children) {
  return h("div.wide", { role: "region", "aria-label": label, tabindex: "0" }, children);
}

// Announces a text to screen readers.
function announce(text) {
  document.getElementById("status").textContent = text;
}

let idsMade = 0;

function newId() {
  idsMade += 1;
  return `m${idsMade}`;
}

// A control with its label.
function labelled(label, control) {
  control.id = newId();
  return h("div.control", h("label", { for: control.id }, label), control);
}

function select(options, change) {
  return h(
    "select",
    { change },
    options.map(([value, text]) => h("option", { value }, text)),
  );
}

// ---- tables ----

// A table. Each column: `label`, `value(row)`; optional `show(row)` (what a cell shows, if not the value), `number`, `bar`
// (the share of the column's maximum is drawn behind the number), `head` (the cell names the row), `code`, `hint`.
// Options: `caption`, `sortable`, `search(row)` with `searchLabel` (a box that filters rows), `limit` (rows shown at first),
// `unit` (what a row is, in the plural), `tools` (controls before that box).
function table(columns, rows, options) {
  const most = maxima(columns, rows);
  const view = { rows: rows.map((row) => ({ row, element: tableRow(columns, row, most) })), sort: null, query: "", all: false };
  const body = h("tbody");
  const heads = columns.map((column, index) => tableHead(column, options.sortable && (() => sortBy(index))));
  const element = h("table", { class: options.class }, h("caption.hidden", options.caption), h("thead", h("tr", heads)), body);
  const frame = wide(options.caption, element);
  const count = h("p.count", { role: "status" });
  const more = h("button.more", { type: "button", click: showAll }, `Show all ${whole(rows.length)} ${options.unit ?? "rows"}`);

  function update() {
    const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, element: line } of ordered(view, columns)) {
      const text = words.length ? options.search(row).toLowerCase() : "";
      line.hidden = !words.every((word) => text.includes(word));
      line.classList.toggle("beyond", !line.hidden && !view.all && shown >= (options.limit ?? Infinity));
      if (!line.hidden) shown += 1;
      body.append(line);
    }
    count.textContent = words.length
      ? `${whole(shown)} of ${whole(rows.length)} ${options.unit}`
      : `${whole(rows.length)} ${options.unit}`;
    more.hidden = view.all || shown <= (options.limit ?? Infinity);
  }
  function sortBy(index) {
    const first = columns[index].number ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const current = view.sort?.index === index ? view.sort.direction : null;
    const direction = current === null ? first : current === first ? second : null;
    view.sort = direction && { index, direction };
    heads.forEach((head, at) => head.setAttribute("aria-sort", at === index && direction ? direction : "none"));
    update();
  }
  function showAll() {
    view.all = true;
    frame.classList.add("tall");
    update();
    frame.focus();
  }
  update();
  const box =
    options.search &&
    h("input", {
      type: "search",
      input: () => {
        view.query = box.value;
        update();
      },
    });
  const tools = box && h("div.tools", options.tools, labelled(options.searchLabel, box), count);
  return h("div.table", tools, frame, more);
}

function maxima(columns, rows) {
  return columns.map((column) => (column.bar ? rows.reduce((most, row) => Math.max(most, column.value(row)), 0) : 0));
}

function tableHead(column, sort) {
  const attributes = { scope: "col", class: column.number ? "number" : null, title: column.hint };
  if (!sort) return h("th", attributes, column.label);
  return h("th", { ...attributes, "aria-sort": "none" }, h("button", { type: "button", click: sort }, column.label));
}

function tableRow(columns, row, most) {
  return h(
    "tr",
    columns.map((column, index) => {
      const value = column.value(row);
      const shown = column.show ? column.show(row) : column.number ? whole(value) : value;
      const kinds = [
        column.number && "number",
        column.code && "code",
        column.number && value === 0 && "zero",
        column.bar && "bar",
      ];
      const share = column.bar && most[index] ? (100 * value) / most[index] : 0;
      const attributes = {
        class: kinds.filter(Boolean).join(" ") || null,
        style: share ? `--share:${share.toFixed(2)}%` : null,
      };
      return column.head ? h("th", { ...attributes, scope: "row" }, shown) : h("td", attributes, shown);
    }),
  );
}

function ordered(view, columns) {
  if (!view.sort) return view.rows;
  const { value } = columns[view.sort.index];
  const sign = view.sort.direction === "ascending" ? 1 : -1;
  return [...view.rows].sort((a, b) => sign * compare(value(a.row), value(b.row)));
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
