// Page of `molsieve report`, 5 of 5: speed and memory, the page of two runs, and the frame of the page.

// ---- speed and memory ----

const CHART_KINDS = ["side-a", "side-b"];

function speedSection(runs) {
  const timed = runs.filter((run) => run.manifest.timeline?.length > 1);
  const note = timed.length ? null : "The run has no record of speed and memory over time: an older molsieve made it, or it was too short.";
  return section("speed", "Speed and memory", note, memoryMeters(runs), timed.length ? h("div.times", timeCharts(runs)) : null, stageTables(runs));
}

function timeCharts(runs) {
  const made = runs.some((run) => run.manifest.task !== "dedup" && run.manifest.rules > 0);
  const key = made ? "products" : "parents";
  const lines = (points, single) => runs.map((run, side) => ({
    name: runs.length > 1 ? SIDES[side] : single, kind: CHART_KINDS[side], points: points(run.manifest.timeline ?? []),
  })).filter((line) => line.points.length);
  const total = (field) => (timeline) => (timeline.length ? [[0, 0], ...timeline.map((point) => [point.seconds, point[field]])] : []);
  const memory = (timeline) => timeline.map((point) => [point.seconds, point.memory_bytes]);
  const budget = runs.length === 1 ? { name: "budget", value: runs[0].manifest.memory_budget_bytes } : null;
  const written = lines(total("unique"), "unique, written");
  const all = runs.length === 1 && made ? [{ name: "made", kind: "side-b", points: total("products")(runs[0].manifest.timeline) }] : [];
  return [
    timeChart(made ? "Products made per second" : "Rows read per second", lines((timeline) => rates(timeline, key), "rate"), short),
    timeChart(made ? "Products" : "Molecules", [...written, ...all], short),
    timeChart("Resident memory", lines(memory, "memory"), bytes, budget),
  ];
}

// Peak memory against its budget.
function memoryMeters(runs) {
  return h("div.meters", runs.map((run, side) => {
    const { peak_memory_bytes: peak, memory_budget_bytes: budget, elapsed_seconds, counts } = run.manifest;
    const share = Math.min(100, (100 * peak) / budget);
    const made = run.manifest.rules && run.manifest.task !== "dedup";
    const speed = elapsed_seconds > 0 ? `${whole((made ? counts.products_made - counts.products_capped : counts.parents_read) / elapsed_seconds)} ${made ? "products made" : "rows read"}/s. ` : "";
    return h(`div.meter.${CHART_KINDS[side]}`,
      h("p", runs.length > 1 ? h("b", `${SIDES[side]} `) : null, `${speed}Peak memory ${bytes(peak)} of ${bytes(budget)} allowed (${percent(peak, budget)}).`),
      h("div.rail", { "aria-hidden": "true" }, h("div", { style: `width:${share.toFixed(1)}%` })));
  }));
}

const STAGES = [["source", "reading"], ["chemistry", "chemistry"], ["sieve", "keys and filter"], ["sink", "writing"], ["settle", "exact deduplication"]];
const CHEMISTRY = [["parse", "parsing"], ["find_sites", "finding sites"], ["react", "running reactions"], ["finish", "finishing products"],
  ["write", "writing SMILES"], ["describe", "properties"], ["keys", "structure keys"]];

function stageTables(runs) {
  return h("div.columns",
    secondsTable("Work by stage", "Seconds of work, summed over threads", STAGES, runs.map((run) => run.manifest.stage_seconds)),
    secondsTable("Work of the chemistry", "Seconds of chemistry, summed over threads", CHEMISTRY, runs.map((run) => run.manifest.chemistry_seconds)));
}

function secondsTable(title, caption, names, seconds) {
  const rows = names.map(([key, label]) => ({ label, values: seconds.map((stages) => stages?.[key] ?? 0) })).filter((row) => row.values.some((value) => value > 0));
  if (!rows.length) return null;
  const columns = [{ label: "", value: (row) => row.label, head: true }];
  seconds.forEach((_, side) => {
    const total = rows.reduce((sum, row) => sum + row.values[side], 0);
    const value = (row) => row.values[side];
    const suffix = seconds.length > 1 ? ` ${SIDES[side]}` : "";
    columns.push({ label: `seconds${suffix}`, value, number: true, bar: true, show: (row) => real(value(row)) },
      { label: `share${suffix}`, value, number: true, show: (row) => percent(value(row), total) });
  });
  columns[0].label = "stage";
  return h("div.part", h("h3", title), h("p.note", `${caption}.`), table(columns, rows, { caption, unit: "stages" }));
}

// ---- two runs ----

function pairSections(report) {
  const { runs, difference } = report;
  return [
    difference && differenceSection(report), figuresSection(report),
    section("funnel", "From rows to products", null, funnelTable(runs)),
    difference && onlySection("rules", "Rules", "rule", difference, "by_rule"), difference && onlySection("steps", "Steps", "step", difference, "by_step"),
    propertiesSection(runs), ...runs.map(onlyGallery), speedSection(runs), changedSettings(runs), pairFiles(runs), citeSection(report),
  ].filter(Boolean);
}

// The key numbers of both runs.
function figuresSection({ runs }) {
  const figures = [
    ["unique products", ({ counts }) => counts.products_unique, whole], ["products made", ({ counts }) => counts.products_made, whole],
    ["rows read", ({ counts }) => counts.parents_read, whole], ["rows rejected", ({ counts }) => counts.parents_rejected, whole],
    ["rules", ({ rules }) => rules, whole], ["wall-clock time", ({ elapsed_seconds }) => elapsed_seconds, duration],
    ["peak memory", ({ peak_memory_bytes }) => peak_memory_bytes, bytes], ["memory allowed", ({ memory_budget_bytes }) => memory_budget_bytes, bytes],
    ["threads", ({ threads }) => threads, whole], ["output", ({ files }) => files.reduce((sum, file) => sum + file.bytes, 0), bytes],
    ["engine", ({ engine }) => engine], ["key", ({ key }) => key], ["molsieve", ({ software }) => software.molsieve], ["RDKit", ({ software }) => software.rdkit],
  ].map(([label, value, text]) => ({ label, values: runs.map((run) => value(run.manifest)), text }));
  const side = (at) => ({ label: SIDES[at], value: (row) => row.values[at], show: (row) => (row.text ? row.text(row.values[at]) : row.values[at]), number: true });
  const change = { label: "B against A", number: true, value: (row) => row.values[1], show: changeText };
  const columns = [{ label: "figure", value: (row) => row.label, head: true }, side(0), side(1), change];
  return section("figures", "Key figures", null, table(columns, figures, { caption: "Key figures of both runs", unit: "figures", class: "narrow figures" }));
}

function changeText({ values: [a, b] }) {
  if (a === b) return h("span.muted", "same");
  if (typeof a !== "number") return "differs";
  if (!a) return "new";
  const change = (100 * (b - a)) / a;
  return `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} %`;
}

function differenceSection({ difference }) {
  const { a, b, both, key, rdkit } = difference;
  const all = a.only + both + b.only;
  const parts = [["only in A", a.only, "side-a"], ["in both", both, "both"], ["only in B", b.only, "side-b"]];
  const strip = h("div.strip", { "aria-hidden": "true" }, parts.filter(([, count]) => count).map(([, count, kind]) => h(`div.${kind}`, { style: `flex-grow:${count / all}` })));
  const names = key === "structure_key" ? "structure keys" : "keys of canonical SMILES";
  return section("difference", "What differs", `Compared by ${names}, over all rows of both runs.`,
    definitions(parts.map(([label, count, kind]) => [label, h("span", h(`i.key.${kind}`), whole(count), h("span.muted", ` ${percent(count, all)}`))]), "dl.facts.large"), strip,
    rdkit ? h("p.warning", `RDKit ${rdkit[0]} wrote A and RDKit ${rdkit[1]} wrote B. Keys of canonical SMILES depend on the release, so some differences may come from it.`) : null);
}

// By rule or by step: what only A has, and what only B has, of all rows that it made.
function onlySection(id, title, unit, difference, field) {
  const rows = new Map();
  ["a", "b"].forEach((side) => (difference[side][field] ?? []).forEach(({ name, only, rows: all }) => {
    const key = String(name);
    if (!rows.has(key)) rows.set(key, { name, a: null, b: null });
    rows.get(key)[side] = { only, rows: all };
  }));
  if (!rows.size) return null;
  const alone = (row) => (row.a?.only ?? 0) + (row.b?.only ?? 0);
  const ranked = [...rows.values()].sort((a, b) => alone(b) - alone(a));
  const column = (side, key, label) => ({
    label, number: true, bar: true, value: (row) => row[side]?.[key] ?? 0, show: (row) => (row[side] ? whole(row[side][key]) : h("span.muted", { title: `no such ${unit}` }, "–")),
  });
  const columns = [{ label: unit, value: (row) => row.name, head: true }, column("a", "only", "only in A"), column("a", "rows", "rows of A"), column("b", "only", "only in B"), column("b", "rows", "rows of B")];
  return section(id, title, `A molecule that both runs have counts as one in both, whatever ${unit} made it.`, table(columns, ranked, {
    caption: `What only one run has, by ${unit}`, sortable: true, limit: 25, unit: `${unit}s`, class: "rules", searchLabel: `Filter ${unit}s`, search: (row) => String(row.name),
  }));
}

function onlyGallery(run, at) {
  const side = SIDES[at];
  const note = run.gallery.length ? `${plural(run.gallery.length, "structure")} that only ${side} has, a sample and not all.` : `No structure is only in ${side}.`;
  return section(`only-${side.toLowerCase()}`, `Structures only in ${side}`, note, run.gallery.length ? gallery(run.gallery, `only in ${side}`) : null);
}

// Lines of the two job.toml: those that only one has stand side by side, by the name of the setting.
function changedSettings(runs) {
  const [a, b] = runs.map((run) => settingLines(run.settings));
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
  const columns = [{ label: "setting", value: (row) => row, head: true, code: true }, ...[a, b].map((lines, side) => ({ label: SIDES[side], value: (row) => lines.get(row) ?? "–", code: true }))];
  return section("settings", "Settings", names.length ? "The settings that differ." : "Both runs have the same settings.",
    names.length ? table(columns, names, { caption: "Settings that differ", unit: "settings", class: "texts" }) : null,
    runs.map((run, side) => h("details", h("summary", `job.toml of ${SIDES[side]}`), h("pre", { tabindex: "0", role: "group", "aria-label": `job.toml of ${SIDES[side]}` }, run.settings))));
}

// The settings of a job.toml by name, with the table that they are in. A value of several lines is one text.
function settingLines(text) {
  const lines = new Map();
  let [group, name] = ["", ""];
  for (const line of text.split("\n").map((raw) => raw.trim()).filter((trimmed) => trimmed && !trimmed.startsWith("#"))) {
    const header = line.match(/^\[+([^\]]+)\]+$/);
    const entry = line.match(/^([\w."-]+)\s*=\s*(.*)$/);
    if (header) group = `${header[1]}.`;
    else if (entry) lines.set(name = group + entry[1], (lines.has(group + entry[1]) ? `${lines.get(group + entry[1])} / ` : "") + entry[2]);
    else if (name) lines.set(name, `${lines.get(name)} ${line}`);
  }
  return lines;
}

function pairFiles(runs) {
  const columns = [{ label: "file", value: (row) => row.name, head: true, code: true }, { label: "rows", value: (row) => row.rows, number: true },
    { label: "size", value: (row) => row.bytes, number: true, show: (row) => bytes(row.bytes) }, { label: "SHA-256", value: (row) => row.sha256, code: true }];
  return section("files", "Files", null, runs.map((run, side) => [h("h3", `${SIDES[side]}: ${run.directory}`),
    folded(run.manifest.files.length, "files", table(columns, run.manifest.files, { caption: `Files of ${SIDES[side]}`, unit: "files", class: "texts" }))]));
}

// ---- the frame ----

function banner(report) {
  const { runs } = report;
  const pair = runs.length > 1;
  const title = pair ? h("h1", h("span.side-a", h("b", "A "), baseName(runs[0].directory)), h("span.muted", " and "), h("span.side-b", h("b", "B "), baseName(runs[1].directory))) : h("h1", baseName(runs[0].directory));
  const made = h("time", { datetime: report.made_at }, report.made_at.replace("T", " ").replace(/:\d\d(\.\d+)?Z$/, " UTC"));
  const paths = runs.map((run, side) => h("p.path", pair ? h(`b.${CHART_KINDS[side]}`, `${SIDES[side]} `) : null, h("code", run.directory)));
  const lead = runs.map((run, side) => h("p.lead", pair ? h(`b.${CHART_KINDS[side]}`, `${SIDES[side]} `) : null, summary(run)));
  return [h("div.bar", h("span.brand", "molsieve report"), h("span.muted", "made ", made, ` by molsieve ${report.molsieve}`), themeButton()),
    title, paths, lead, pair ? null : tiles(runs[0])];
}

function tiles(run) {
  const { manifest } = run;
  const size = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  return definitions([
    [`unique ${noun(run)}`, whole(manifest.counts.products_unique)], [manifest.task === "dedup" ? "rows" : "parents", whole(libraryRows(run))],
    ["rules", manifest.rules ? whole(manifest.rules) : null], ["rejected rows", whole(manifest.counts.parents_rejected)],
    ["wall-clock time", duration(manifest.elapsed_seconds)], ["peak memory", bytes(manifest.peak_memory_bytes)], ["output", bytes(size)],
    ["versions", h("span.small", `molsieve ${manifest.software.molsieve}`, h("br"), `RDKit ${manifest.software.rdkit}`)],
  ], "dl.facts.large");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function themeButton() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme;
  const button = h("button.theme", { type: "button", click: () => { setTheme(current() === "dark" ? "light" : "dark"); chosen = true; label(); } });
  let chosen = false;
  const label = () => { button.textContent = current() === "dark" ? "Light colours" : "Dark colours"; };
  const follow = () => { if (!chosen) setTheme(system.matches ? "dark" : "light"); label(); };
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
  const observer = new IntersectionObserver((entries) => {
    entries.forEach((entry) => (entry.isIntersecting ? visible.add(entry.target) : visible.delete(entry.target)));
    const top = sections.find((part) => visible.has(part));
    links.forEach((link, part) => (part === top ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }, { rootMargin: "-10% 0px -60% 0px" });
  sections.forEach((part) => observer.observe(part));
}

function start() {
  const report = JSON.parse(document.getElementById("report").textContent);
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
