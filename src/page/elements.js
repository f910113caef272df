// Elements of all pages. Data becomes text nodes and attribute values only, never markup.

const SVG_SPACE = "http://www.w3.org/2000/svg";

const INTEGER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

// Makes an element: `h("p.note", { title: "…" }, "text", node, …)`. An attribute that is a function becomes a listener;
// attributes that are null, undefined or false are left out.
function h(spec, ...children) {
  const [tag, ...classes] = spec.split(".");
  return fill(document.createElement(tag), classes, children);
}

// The same for SVG.
function svg(spec, ...children) {
  const [tag, ...classes] = spec.split(".");
  return fill(document.createElementNS(SVG_SPACE, tag), classes, children);
}

function fill(element, classes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  const first = children[0];
  const plain = first && Object.getPrototypeOf(first) === Object.prototype;
  if (plain) Object.entries(children.shift()).forEach(([name, value]) => setAttribute(element, name, value));
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(name, value);
  else element.setAttribute(name, value === true ? "" : value);
}

