// Page of `molsieve report`, 6 of 6: the frame of the page, and its start.

function banner(report) {
  const { runs } = report;
  const pair = runs.length > 1;
  const title = pair
    ? h(
        "h1",
        h("span.side-a", h("b", "A "), baseName(runs[0].directory)),
        h("span.muted", " and "),
        h("span.side-b", h("b", "B "), baseName(runs[1].directory)),
      )
    : h("h1", baseName(runs[0].directory));
  const made = h("time", { datetime: report.made_at }, report.made_at.replace("T", " ").replace(/:\d\d(\.\d+)?Z$/, " UTC"));
  const paths = runs.map((run, side) =>
    h("p.path", pair ? h(`b.${CHART_KINDS[side]}`, `${SIDES[side]} `) : null, h("code", run.directory)),
  );
  const lead = runs.map((run, side) => h("p.lead", pair ? h(`b.${CHART_KINDS[side]}`, `${SIDES[side]} `) : null, summary(run)));
  return [
    h(
      "div.bar",
      h("span.brand", "molsieve report"),
      h("span.muted", "made ", made, ` by molsieve ${report.molsieve}`),
      themeButton(),
    ),
    title,
    paths,
    lead,
    pair ? null : tiles(runs[0]),
  ];
}

function tiles(run) {
  const { manifest } = run;
  const size = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  return definitions(
    [
      [`unique ${noun(run)}`, whole(manifest.counts.products_unique)],
      [manifest.task === "dedup" ? "rows" : "parents", whole(libraryRows(run))],
      ["rules", manifest.rules ? whole(manifest.rules) : null],
      ["rejected rows", whole(manifest.counts.parents_rejected)],
      ["wall-clock time", duration(manifest.elapsed_seconds)],
      ["peak memory", bytes(manifest.peak_memory_bytes)],
      ["output", bytes(size)],
      ["versions", h("span.small", `molsieve ${manifest.software.molsieve}`, h("br"), `RDKit ${manifest.software.rdkit}`)],
    ],
    "dl.facts.large",
  );
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function themeButton() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme;
  const button = h("button.theme", {
    type: "button",
    click: () => {
      setTheme(current() === "dark" ? "light" : "dark");
      chosen = true;
      label();
    },
  });
  let chosen = false;
  const label = () => {
    button.textContent = current() === "dark" ? "Light colours" : "Dark colours";
  };
  const follow = () => {
    if (!chosen) setTheme(system.matches ? "dark" : "light");
    label();
  };
  system.addEventListener("change", follow);
  follow();
  return button;
}

function contents(sections) {
  const links = sections.map((part) => h("li", h("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
  return h("ul", links);
}

// Marks the link of the section that is at the top of the window.
function followReader(sections) {
  const links = new Map(sections.map((part) => [part, document.querySelector(`#contents a[href="#${part.id}"]`)]));
  const visible = new Set();
  const observer = new IntersectionObserver(
    (entries) => {
      entries.forEach((entry) => (entry.isIntersecting ? visible.add(entry.target) : visible.delete(entry.target)));
      const top = sections.find((part) => visible.has(part));
      links.forEach((link, part) =>
        part === top ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"),
      );
    },
    { rootMargin: "-10% 0px -60% 0px" },
  );
  sections.forEach((part) => observer.observe(part));
}

// A run with all fields that the sections read: manifests of older versions lack some.
function complete(run) {
  const manifest = { files: [], inputs: [], software: {}, counts: {}, ...run.manifest };
  const { funnel = [], properties = [], drops = [], settings = "" } = run;
  const names = properties.map((property) => property.name);
  const gallery = (run.gallery ?? []).map((structure) => ({
    ...structure,
    properties: inOrder(structure.properties ?? {}, names),
  }));
  const sample = run.sample ?? { rows: 0, of: manifest.counts.products_unique ?? 0, row_groups: 0, of_row_groups: 0 };
  const rejects = { rows: 0, examples: [], ...run.rejects };
  return { ...run, manifest, funnel, properties, drops, settings, gallery, sample, rejects };
}

// The same values by name, in the order of these names, and then the others.
function inOrder(values, names) {
  const known = names.filter((name) => name in values).map((name) => [name, values[name]]);
  return { ...Object.fromEntries(known), ...values };
}

function start() {
  const report = JSON.parse(document.getElementById("report").textContent);
  report.runs = report.runs.map(complete);
  const byId = (id) => document.getElementById(id);
  byId("banner").append(...banner(report).flat().filter(Boolean));
  const sections = report.runs.length > 1 ? pairSections(report) : runSections(report);
  byId("main").replaceChildren(...sections);
  byId("contents").append(contents(sections));
  byId("footer").append(h("p", "This page holds all of its data and loads nothing from a network."));
  followReader(sections);
  window.addEventListener("beforeprint", preparePrint);
  window.addEventListener("afterprint", endPrint);
  matchMedia("print").addEventListener("change", (event) => (event.matches ? preparePrint() : endPrint()));
  if (location.hash) byId(location.hash.slice(1))?.scrollIntoView();
}

start();
