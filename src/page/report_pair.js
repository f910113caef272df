// Page of `molsieve report`, 5 of 6: the sections about two runs, A and B. `report.difference` is what
// `molsieve diff --json` prints.

function pairSections(report) {
  const { runs, difference } = report;
  return [
    difference && differenceSection(report),
    figuresSection(report),
    section("funnel", "From rows to products", null, funnelTable(runs)),
    difference && onlySection("rules", "Rules", "rule", difference, "by_rule"),
    difference && onlySection("steps", "Steps", "step", difference, "by_step"),
    propertiesSection(runs),
    ...runs.map((run, side) => onlyGallery(run, side, difference)),
    pairRejects(runs),
    speedSection(runs),
    changedSettings(runs),
    pairFiles(runs),
    citeSection(report),
  ].filter(Boolean);
}

// The key numbers of both runs.
function figuresSection({ runs }) {
  const figures = [
    ["unique products", ({ counts }) => counts.products_unique, whole],
    ["products made", ({ counts }) => counts.products_made, whole],
    ["rows read", ({ counts }) => counts.parents_read, whole],
    ["rows rejected", ({ counts }) => counts.parents_rejected, whole],
    ["rules", ({ rules }) => rules, whole],
    ["wall-clock time", ({ elapsed_seconds }) => elapsed_seconds, duration],
    ["peak memory", ({ peak_memory_bytes }) => peak_memory_bytes, bytes],
    ["memory allowed", ({ memory_budget_bytes }) => memory_budget_bytes, bytes],
    ["threads", ({ threads }) => threads, whole],
    ["output", ({ files }) => files.reduce((sum, file) => sum + file.bytes, 0), bytes],
    ["engine", ({ engine }) => engine],
    ["key", ({ key }) => key],
    ["molsieve", ({ software }) => software.molsieve],
    ["RDKit", ({ software }) => software.rdkit],
  ].map(([label, value, text]) => ({ label, values: runs.map((run) => value(run.manifest)), text }));
  const side = (at) => ({
    label: SIDES[at],
    value: (row) => row.values[at],
    show: (row) => (row.text ? row.text(row.values[at]) : row.values[at]),
    number: true,
  });
  const change = { label: "B against A", number: true, value: (row) => row.values[1], show: changeText };
  const columns = [{ label: "figure", value: (row) => row.label, head: true }, side(0), side(1), change];
  return section(
    "figures",
    "Key figures",
    null,
    table(columns, figures, { caption: "Key figures of both runs", unit: "figures", class: "narrow figures" }),
  );
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
  const parts = [
    ["only in A", a.only, "side-a"],
    ["in both", both, "both"],
    ["only in B", b.only, "side-b"],
  ];
  const strip = h(
    "div.strip",
    { "aria-hidden": "true" },
    parts.filter(([, count]) => count).map(([, count, kind]) => h(`div.${kind}`, { style: `flex-grow:${count / all}` })),
  );
  const names = key === "structure_key" ? "structure keys" : "keys of canonical SMILES";
  return section(
    "difference",
    "What differs",
    `Compared by ${names}, over all rows of both runs.`,
    definitions(
      parts.map(([label, count, kind]) => [
        label,
        h("span", h(`i.key.${kind}`), whole(count), h("span.muted", ` ${percent(count, all)}`)),
      ]),
      "dl.facts.large",
    ),
    strip,
    rdkit
      ? h(
          "p.warning",
          `RDKit ${rdkit[0]} wrote A and RDKit ${rdkit[1]} wrote B. Keys of canonical SMILES depend on the release, ` +
            "so some differences may come from it.",
        )
      : null,
  );
}

// By rule or by step: what only A has, and what only B has, of all rows that it made.
function onlySection(id, title, unit, difference, field) {
  const rows = new Map();
  ["a", "b"].forEach((side) =>
    (difference[side][field] ?? []).forEach(({ name, only, rows: all }) => {
      const key = String(name);
      if (!rows.has(key)) rows.set(key, { name, a: null, b: null });
      rows.get(key)[side] = { only, rows: all };
    }),
  );
  if (!rows.size) return null;
  const alone = (row) => (row.a?.only ?? 0) + (row.b?.only ?? 0);
  const ranked = [...rows.values()];
  if (field === "by_rule") ranked.sort((a, b) => alone(b) - alone(a));
  const column = (side, key, label) => ({
    label,
    number: true,
    bar: true,
    value: (row) => row[side]?.[key] ?? 0,
    show: (row) => (row[side] ? whole(row[side][key]) : h("span.muted", { title: `no such ${unit}` }, "–")),
  });
  const columns = [
    { label: unit, value: (row) => row.name, head: true },
    column("a", "only", "only in A"),
    column("a", "rows", "rows of A"),
    column("b", "only", "only in B"),
    column("b", "rows", "rows of B"),
  ];
  return section(
    id,
    title,
    `A molecule that both runs have counts as one in both, whatever ${unit} made it.`,
    table(columns, ranked, {
      caption: `What only one run has, by ${unit}`,
      sortable: true,
      limit: 25,
      unit: `${unit}s`,
      class: "rules",
      searchLabel: `Filter ${unit}s`,
      search: (row) => String(row.name),
    }),
  );
}

function onlyGallery(run, at, difference) {
  const side = SIDES[at];
  const all = difference?.[side.toLowerCase()].only;
  const drawn = plural(run.gallery.length, "structure");
  const note = !run.gallery.length
    ? `No structure is only in ${side}.`
    : run.gallery.length >= all
      ? `All ${drawn} that only ${side} has.`
      : `${drawn} ${all ? `of the ${whole(all)} ` : ""}that only ${side} has: a sample, not all.`;
  return section(
    `only-${side.toLowerCase()}`,
    `Structures only in ${side}`,
    note,
    run.gallery.length ? gallery(run.gallery, `only in ${side}`) : null,
  );
}

// Rejected rows of both runs, by code.
function pairRejects(runs) {
  const [a, b] = runs.map((run) => run.manifest.rejected_by_code ?? {});
  const codes = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  if (!codes.length) return null;
  const side = (counts, at) => ({ label: SIDES[at], number: true, value: (code) => counts[code] ?? 0 });
  const columns = [{ label: "code", value: (code) => code, head: true, code: true }, side(a, 0), side(b, 1)];
  const options = { caption: "Rejected rows of both runs, by code", unit: "codes", class: "narrow figures" };
  return section("rejects", "Rejected rows", null, table(columns, codes, options));
}

// Lines of the two job.toml: those that only one has stand side by side, by the name of the setting.
function changedSettings(runs) {
  const [a, b] = runs.map((run) => settingLines(run.settings));
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
  const columns = [
    { label: "setting", value: (row) => row, head: true, code: true },
    ...[a, b].map((lines, side) => ({ label: SIDES[side], value: (row) => lines.get(row) ?? "–", code: true })),
  ];
  return section(
    "settings",
    "Settings",
    names.length ? "The settings that differ." : "Both runs have the same settings.",
    names.length ? table(columns, names, { caption: "Settings that differ", unit: "settings", class: "texts" }) : null,
    runs.map((run, side) =>
      h(
        "details",
        h("summary", `job.toml of ${SIDES[side]}`),
        h("pre", { tabindex: "0", role: "group", "aria-label": `job.toml of ${SIDES[side]}` }, run.settings),
      ),
    ),
  );
}

// The settings of a job.toml by name, with the table that they are in. A value of several lines is one text.
function settingLines(text) {
  const lines = new Map();
  let [group, name] = ["", ""];
  for (const line of text
    .split("\n")
    .map((raw) => raw.trim())
    .filter((trimmed) => trimmed && !trimmed.startsWith("#"))) {
    const header = line.match(/^\[+([^\]]+)\]+$/);
    const entry = line.match(/^([\w."-]+)\s*=\s*(.*)$/);
    if (header) group = `${header[1]}.`;
    else if (entry)
      lines.set((name = group + entry[1]), (lines.has(group + entry[1]) ? `${lines.get(group + entry[1])} / ` : "") + entry[2]);
    else if (name) lines.set(name, `${lines.get(name)} ${line}`);
  }
  return lines;
}

function pairFiles(runs) {
  const columns = [
    { label: "file", value: (row) => row.name, head: true, code: true },
    { label: "rows", value: (row) => row.rows, number: true },
    { label: "size", value: (row) => row.bytes, number: true, show: (row) => bytes(row.bytes) },
    { label: "SHA-256", value: (row) => row.sha256, code: true },
  ];
  return section(
    "files",
    "Files",
    null,
    runs.map((run, side) => [
      h("h3", `${SIDES[side]}: ${run.directory}`),
      folded(
        run.manifest.files.length,
        "files",
        table(columns, run.manifest.files, { caption: `Files of ${SIDES[side]}`, unit: "files", class: "texts" }),
      ),
    ]),
  );
}
