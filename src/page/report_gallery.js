// Page of `molsieve report`, 3 of 6: structures as cards, with filters, an order, and drawings made when they are shown.

const CARDS_AT_ONCE = 48;
const galleries = [];

const COLOURS = [
  ["changed", "changed atoms"],
  ["added", "added, in the product"],
  ["removed", "removed, in the parent"],
];

// The structures of a run. `name` tells galleries of one page apart.
function gallery(structures, name) {
  const view = { rule: "", step: "", query: "", order: "given", shown: CARDS_AT_ONCE, matching: structures, structures };
  const list = h(structures.some((structure) => structure.parent_svg) ? "ul.cards" : "ul.cards.single", { "aria-label": name });
  const count = h("p.count", { role: "status" });
  const more = h("button.more", {
    type: "button",
    click: () => {
      view.shown += CARDS_AT_ONCE;
      update(true);
    },
  });
  const cards = new Map();

  function card(structure) {
    if (!cards.has(structure)) cards.set(structure, structureCard(structure));
    return cards.get(structure);
  }
  // Shows the first `view.shown` cards; `grown`: moves the focus to the first of those that are new.
  function update(grown = false) {
    view.matching = sorted(
      structures.filter((structure) => matches(structure, view)),
      view.order,
    );
    const visible = view.matching.slice(0, view.shown);
    const before = list.children.length;
    list.replaceChildren(...visible.map(card));
    const left = view.matching.length - visible.length;
    count.textContent =
      `${whole(visible.length)} of ${plural(view.matching.length, "structure")} shown` +
      (view.matching.length < structures.length ? `, of ${whole(structures.length)} in all` : "");
    more.hidden = left <= 0;
    more.textContent = `Show ${whole(Math.min(left, CARDS_AT_ONCE))} more`;
    if (grown) list.children[before]?.querySelector("button")?.focus({ preventScroll: true });
  }
  const controls = galleryControls(structures, view, () => {
    view.shown = CARDS_AT_ONCE;
    update();
  });
  update();
  const element = h(
    "div.gallery",
    { "data-gallery": name },
    h("div.tools", controls.elements, count),
    legend(structures),
    list,
    more,
  );
  galleries.push({ view, update, element, controls });
  return element;
}

function galleryControls(structures, view, change) {
  const distinct = (key) => [
    ...new Set(structures.map((structure) => structure[key]).filter((value) => value !== "" && value !== undefined)),
  ];
  const rules = distinct("rule").sort(compare);
  const steps = distinct("step").sort(compare);
  const names = [...new Set(structures.flatMap((structure) => Object.keys(structure.properties ?? {})))];
  const elements = [];
  let rule = null;
  if (rules.length > 1) {
    rule = select([["", `all ${rules.length} rules`], ...rules.map((text) => [text, text])], () => {
      view.rule = rule.value;
      change();
    });
    elements.push(labelled("Rule", rule));
  }
  if (steps.length > 1) {
    const step = select([["", "all steps"], ...steps.map((number) => [String(number), `step ${number}`])], () => {
      view.step = step.value;
      change();
    });
    elements.push(labelled("Step", step));
  }
  const orders = [
    ["given", rules.length > 1 ? "rule" : "as sampled"],
    ["row", "row"],
    ...names.flatMap((name) => [
      [`+${name}`, `${name}, lowest first`],
      [`-${name}`, `${name}, highest first`],
    ]),
  ];
  const order = select(orders, () => {
    view.order = order.value;
    change();
  });
  const box = h("input", {
    type: "search",
    placeholder: "id, SMILES, rule",
    input: () => {
      view.query = box.value;
      change();
    },
  });
  elements.push(labelled("Order", order), labelled("Search", box));
  return {
    elements,
    rule,
    setRule: (name) => {
      if (rule) rule.value = name;
      view.rule = name;
      change();
    },
  };
}

function matches(structure, view) {
  if (view.rule && structure.rule !== view.rule) return false;
  if (view.step && String(structure.step) !== view.step) return false;
  const { rule, smiles, parent_id, parent_smiles, root_id, reagents = [] } = structure;
  const text = [rule, smiles, parent_id, parent_smiles, root_id, ...reagents.flatMap(({ id, smiles: own }) => [id, own])]
    .join("\n")
    .toLowerCase();
  // SMILES in two cases are two molecules, but whoever types a name does not care.
  return view.query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function sorted(structures, order) {
  if (order === "given") return structures;
  if (order === "row") return [...structures].sort((a, b) => a.row - b.row);
  const name = order.slice(1);
  const sign = order[0] === "+" ? 1 : -1;
  const value = (structure) => structure.properties?.[name] ?? sign * Infinity;
  return [...structures].sort((a, b) => sign * (value(a) - value(b)));
}

function legend(structures) {
  if (!structures.some((structure) => structure.highlighted)) return null;
  const keys = COLOURS.map(([kind, text]) => h("li", h(`i.swatch.${kind}`, { "aria-hidden": "true" }), text));
  return h("ul.legend", { "aria-label": "Colours of the drawings" }, keys);
}

// ---- a card ----

function structureCard(structure) {
  const { row, rule, parent_id, root_id, smiles, reagents = [] } = structure;
  const origin = structure.parent_svg !== null && structure.parent_svg !== undefined;
  return h(
    "li",
    h(
      "article.card",
      { "data-row": row, "data-rule": rule || null },
      h("div.drawings", { class: origin ? "drawings pair" : "drawings" }, drawings(structure, origin), enlargeButton(row)),
      h("h3", (origin && rule) || parent_id || `row ${whole(row)}`),
      definitions(
        [
          ["parent", (origin && parent_id) || null],
          ["library", root_id && root_id !== parent_id ? root_id : null],
          [
            reagents.length === 1 ? "reagent" : "reagents",
            reagents.length ? reagents.map(({ id, smiles: own }) => h("span.reagent", { title: own }, id)) : null,
          ],
          ["row", placeText(structure, origin)],
        ],
        "dl.origin",
      ),
      propertyList(structure.properties),
      h("div.smiles", h("code", { tabindex: "0", role: "group", "aria-label": "SMILES" }, smiles), copyButton(smiles)),
    ),
  );
}

function drawings(structure, origin) {
  const product = structure.svg
    ? drawing(structure.svg, `${origin ? "Product" : "Structure"}: ${structure.smiles}`)
    : h("p.muted", "no drawing");
  if (!origin) return [product];
  return [
    drawing(structure.parent_svg, `Parent: ${structure.parent_smiles}`),
    h("span.arrow", { "aria-hidden": "true" }, "→"),
    product,
  ];
}

// Gives the card the whole width, and back.
function enlargeButton(row) {
  const button = h(
    "button.enlarge",
    {
      type: "button",
      "aria-pressed": "false",
      "aria-label": `Enlarge the drawings of row ${whole(row)}`,
      title: "Enlarge",
      click: () => {
        const large = button.closest("li").classList.toggle("large");
        button.setAttribute("aria-pressed", String(large));
      },
    },
    "⤢",
  );
  return button;
}

function placeText({ row, step, site }, origin) {
  const parts = [whole(row)];
  if (origin && step > 1) parts.push(`step ${step}`);
  if (origin && site !== null && site !== undefined) parts.push(`site ${site}`);
  return parts.join(" · ");
}

function propertyList(properties) {
  const entries = Object.entries(properties ?? {}).filter(([, value]) => value !== null);
  if (!entries.length) return null;
  return h(
    "dl.properties",
    entries.map(([name, value]) => h("div", h("dt", name), h("dd", real(value)))),
  );
}

function copyButton(text) {
  const button = h(
    "button",
    {
      type: "button",
      "aria-label": `Copy SMILES ${text}`,
      click: async () => {
        const done = await copyText(text);
        button.textContent = done ? "Copied" : "Can't copy";
        announce(done ? "SMILES copied" : "The browser does not let this page copy text");
        setTimeout(() => {
          button.textContent = "Copy";
        }, 1500);
      },
    },
    "Copy",
  );
  return button;
}

// Copies a text; false where the browser forbids it. Pages from files have no clipboard in some browsers, hence the second way.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea.hidden", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// Shows the structures of a rule in the first gallery that has some.
function showRule(name) {
  const found = galleries.find(({ view }) => view.structures.some((structure) => structure.rule === name));
  if (!found) return;
  found.controls.setRule(name);
  found.element.scrollIntoView();
  found.controls.rule?.focus({ preventScroll: true });
}

// ---- printing ----

// On paper there is no "show more": all matching structures are shown, and closed details are opened.
function preparePrint() {
  galleries.forEach((entry) => {
    entry.before ??= entry.view.shown;
    entry.view.shown = Infinity;
    entry.update();
  });
  document.querySelectorAll("details:not([open])").forEach((details) => {
    details.open = true;
    details.dataset.closed = "";
  });
}

function endPrint() {
  galleries.forEach((entry) => {
    entry.view.shown = entry.before ?? CARDS_AT_ONCE;
    delete entry.before;
    entry.update();
  });
  document.querySelectorAll("details[data-closed]").forEach((details) => {
    details.open = false;
    delete details.dataset.closed;
  });
}
