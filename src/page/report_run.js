// Page of `molsieve report`, 4 of 6: the sections about one run. A section that has nothing to say is null.

const DETAILS_FROM = 8;

function runSections(report) {
  const [run] = report.runs;
  return [
    funnelSection(run),
    stepsSection(run),
    rulesSection(run),
    limitsSection(run),
    propertiesSection(report.runs),
    structuresSection(run),
    rejectsSection(run),
    speedSection(report.runs),
    settingsSection(run),
    filesSection(run),
    citeSection(report),
  ].filter(Boolean);
}

// What the rows of a job are, in the plural.
function noun(run) {
  return run.manifest.rules && run.manifest.task !== "dedup" ? "products" : "molecules";
}

// One sentence: what came out.
function summary(run) {
  const { counts, rules, elapsed_seconds, task } = run.manifest;
  const time = `in ${duration(elapsed_seconds)}`;
  const unique = plural(counts.products_unique, `unique ${noun(run).slice(0, -1)}`);
  const rejected = counts.parents_rejected
    ? `${plural(counts.parents_rejected, "row")} could not be used.`
    : "No row was rejected.";
  if (!rules || task === "dedup") return `${plural(counts.parents_read, "row")} gave ${unique} ${time}. ${rejected}`;
  const made = counts.products_made
    ? `, ${percent(counts.products_unique, counts.products_made)} of the ${whole(counts.products_made)} made,`
    : "";
  const steps = run.manifest.steps?.length > 1 ? ` in ${run.manifest.steps.length} steps` : "";
  const applied = `${plural(rules, "rule")}, applied to ${plural(libraryRows(run), "molecule")}${steps},`;
  return `${applied} gave ${unique}${made} ${time}. ${rejected}`;
}

// Rows of the library: those of the first step, where there are several.
function libraryRows(run) {
  return (run.manifest.steps?.[0]?.counts ?? run.manifest.counts).parents_read;
}

function funnelSection(run) {
  const several = run.manifest.steps?.length > 1;
  const note = several ? "Sums over the steps. The products of a step are the parents of the next." : null;
  const { counts, products_left_out, products_excluded, left_as_written, without_mol_block } = run.manifest;
  const remarks = [
    [counts.enhanced_stereo_dropped, "parents have enhanced stereo, which no product's SMILES holds"],
    [counts.products_expanded, "products with open stereo centres were replaced by their stereoisomers"],
    [counts.products_expanded_in_part, "of those have more stereoisomers than were asked for"],
    [products_left_out, "distinct products were left out by the cap on a step; they are among the capped ones"],
    [products_excluded, "products were excluded because earlier runs have them"],
    [left_as_written, "rows were left as written because RDKit can't read them"],
    [without_mol_block, "records have no mol block because RDKit makes none"],
  ].filter(([count]) => count);
  return section(
    "funnel",
    `From rows to ${noun(run)}`,
    note,
    funnelTable([run]),
    remarks.length
      ? h(
          "ul.remarks",
          remarks.map(([count, text]) => h("li", h("b", whole(count)), ` ${text}`)),
        )
      : null,
  );
}

// ---- steps and rules ----

const numeric = (label, key, hint, bar = true) => ({ label, value: (row) => row[key] ?? 0, number: true, bar, hint });

function stepsSection(run) {
  const { steps = [] } = run.manifest;
  if (steps.length < 2) return null;
  const count = (label, key, hint) => ({ label, value: (step) => step.counts[key] ?? 0, number: true, bar: true, hint });
  const columns = [
    { label: "step", value: (step) => step.step, head: true },
    count("parents", "parents_read"),
    count("rejected", "parents_rejected"),
    count("filtered parents", "parents_filtered"),
    count("made", "products_made"),
    count("unique", "products_unique"),
    count("filtered", "products_filtered"),
    count("capped", "products_capped"),
    count("invalid", "products_invalid"),
    count("unchanged", "products_unchanged"),
    {
      label: "unique of made",
      value: (step) => step.counts.products_unique / (step.counts.products_made || 1),
      number: true,
      show: (step) => percent(step.counts.products_unique, step.counts.products_made),
    },
  ];
  return section(
    "steps",
    "Steps",
    null,
    table(columns, steps, { caption: "Parents and products of each step", unit: "steps" }),
  );
}

const RULE_COLUMNS = [
  numeric("parents", "parents", "parents that have a site"),
  numeric("sites", "sites", "sites in all parents"),
  numeric("made", "made", "products made, with those that a cap kept from being made or written"),
  numeric("unique", "unique", "rows written"),
  numeric("unchanged", "unchanged", "products equal to their parent"),
  numeric("invalid", "invalid", "products that RDKit can't sanitize"),
  numeric("filtered", "filtered", "products that a filter left out"),
  numeric("capped", "capped", "products that a cap kept from being made or written"),
  {
    ...numeric("seconds", "seconds", "time for finding sites and making products, summed over threads"),
    show: (rule) => real(rule.seconds ?? 0),
  },
];

function rulesSection(run) {
  const { by_rule = [], steps = [], task } = run.manifest;
  if (!by_rule.length || task === "dedup") return null;
  const drawn = new Set(run.gallery.map((structure) => structure.rule));
  const name = {
    label: "rule",
    head: true,
    value: (rule) => rule.name,
    show: (rule) =>
      drawn.has(rule.name)
        ? h(
            "button.link",
            { type: "button", title: "Show structures of this rule", click: () => showRule(rule.name) },
            rule.name,
          )
        : rule.name,
  };
  const steppers =
    steps.length > 1 &&
    select([["", "all steps"], ...steps.map(({ step }) => [String(step), `step ${step}`])], () => {
      place.replaceChildren(make(steps.find(({ step }) => String(step) === steppers.value)?.by_rule ?? by_rule));
      steppers.focus();
    });
  const choose = steppers && labelled("Counts of", steppers);
  const make = (rules) =>
    table([name, ...RULE_COLUMNS], rules, {
      caption: "What each rule made",
      sortable: true,
      tools: choose,
      limit: 25,
      unit: "rules",
      class: "rules",
      searchLabel: "Filter rules",
      search: (rule) => rule.name,
    });
  const silent = by_rule.filter((rule) => !rule.made).length;
  const without = silent ? `, ${whole(silent)} of them without a product` : "";
  const note = `${plural(by_rule.length, "rule")}${without}. Repeats are in “made” and in no other column.`;
  const place = h("div", make(by_rule));
  return section("rules", "Rules", note, place);
}

// ---- filters, cleaning, caps ----

function limitsSection(run) {
  const parts = [filtersPart(run.manifest), cleaningPart(run.manifest), cappedPart(run.manifest)].filter(Boolean);
  if (!parts.length) return null;
  return section("limits", "Filters, cleaning and caps", null, h("div.columns", parts));
}

function filtersPart({ by_filter = [], counts }) {
  if (!by_filter.length) return null;
  const columns = [{ label: "filter", value: (row) => row.filter, head: true, code: true }, numeric("left out", "left_out")];
  const kinds = [
    [counts.products_filtered, "products"],
    [counts.parents_filtered, "parents"],
  ].filter(([count]) => count);
  const total = kinds.map(([count, unit]) => `${whole(count)} ${unit}`).join(" and ") || "nothing";
  return h(
    "div.part",
    h("h3", "Filters"),
    h("p.note", `Filters left out ${total}. Each is counted under the first filter that it fails.`),
    table(columns, by_filter, { caption: "What each filter left out", unit: "filters" }),
  );
}

function cleaningPart({ cleaning, counts }) {
  if (!cleaning) return null;
  const changed = Object.entries(cleaning.changed_by ?? {}).map(([step, count]) => ({ step, count }));
  const columns = [{ label: "step", value: (row) => row.step, head: true, code: true }, numeric("molecules changed", "count")];
  const capped = cleaning.tautomers_capped
    ? ` RDKit stopped before it had all tautomers of ${whole(cleaning.tautomers_capped)}.`
    : "";
  return h(
    "div.part",
    h("h3", "Cleaning"),
    h(
      "p.note",
      `Cleaning changed ${plural(counts.parents_cleaned ?? 0, "molecule")}. RDKit cleaned ${whole(cleaning.by_rdkit)}; ` +
        `of the others the outcome is known without RDKit, which checked ${whole(cleaning.checked)} of them.${capped}`,
    ),
    changed.length ? table(columns, changed, { caption: "Molecules that each step of cleaning changed", unit: "steps" }) : null,
  );
}

function cappedPart({ capped_parents = [], counts }) {
  if (!capped_parents.length && !counts.parents_capped) return null;
  const stepped = capped_parents.some((parent) => parent.step);
  const columns = [
    ...(stepped ? [{ label: "step", value: (row) => row.step ?? 1, number: true }] : []),
    { label: "row", value: (row) => row.row, number: true },
    { label: "id", value: (row) => row.id, head: true },
    { label: "caps", value: (row) => row.caps.join(", ") },
  ];
  return h(
    "div.part",
    h("h3", "Capped parents"),
    h(
      "p.note",
      `A cap took effect at ${plural(counts.parents_capped, "parent")}` +
        (counts.parents_capped > capped_parents.length
          ? `; the manifest names the first ${whole(capped_parents.length)}.`
          : "."),
    ),
    table(columns, capped_parents, {
      caption: "Parents at which a cap took effect",
      limit: 10,
      unit: "parents",
      class: "brief",
    }),
  );
}

// ---- samples: properties and structures ----

// How many rows a sample has, in words.
function sampleText({ rows, of, row_groups, of_row_groups }) {
  if (rows >= of) return `all ${plural(of, "row")}`;
  const groups = row_groups < of_row_groups ? `, from ${whole(row_groups)} of ${whole(of_row_groups)} row groups` : "";
  return `a sample of ${whole(rows)} of ${plural(of, "row")} (${percent(rows, of)})${groups}`;
}

function propertiesSection(runs) {
  const names = [...new Set(runs.flatMap((run) => run.properties.map((property) => property.name)))];
  if (!names.length) return null;
  const find = (run, name) => run.properties.find((property) => property.name === name);
  const shown = names.filter((name) => runs.some((run) => find(run, name)?.bins?.length));
  const computed = runs.some((run) => run.properties.some((property) => property.computed));
  const sources = runs.map((run, side) => `${runs.length > 1 ? `${SIDES[side]}: ` : ""}${sampleText(run.sample)}`).join("; ");
  const note =
    `From ${sources}.${computed ? " molsieve computed these properties for the report." : ""} ` +
    `${runs.length > 1 ? "Heights are shares of the rows of each run. " : ""}The dashed line is the median.`;
  return section(
    "properties",
    "Properties",
    note,
    h(
      "div.histograms",
      shown.map((name) => histogram(runs.map((run) => find(run, name)))),
    ),
  );
}

function structuresSection(run) {
  if (!run.gallery.length) return null;
  const { gallery: structures, sample, manifest } = run;
  const note =
    structures.length >= sample.of
      ? `All ${plural(sample.of, "row")} of the output.`
      : `${plural(structures.length, "structure")} of ${plural(sample.of, "row")}, not all: spread over ` +
        `${manifest.rules ? "steps and rules" : "the output"}, and drawn from ${sampleText(sample)}.`;
  return section("structures", "Structures", note, gallery(structures, "structures"));
}

// ---- rejects ----

function rejectsSection(run) {
  const codes = Object.entries(run.manifest.rejected_by_code ?? {}).map(([code, count]) => ({ code, count }));
  const { examples } = run.rejects;
  if (!codes.length && !run.drops.length) {
    return section("rejects", "Rejected rows", "No row was rejected.");
  }
  const total = codes.reduce((sum, { count }) => sum + count, 0);
  const byCode = [
    { label: "code", value: (row) => row.code, head: true, code: true },
    numeric("rows", "count"),
    { label: "share", value: (row) => row.count, number: true, show: (row) => percent(row.count, total) },
  ];
  const columns = [
    { label: "code", value: (row) => row.code, code: true },
    { label: "row", value: (row) => row.row, number: true },
    { label: "id", value: (row) => row.id, head: true },
    { label: "text", value: (row) => row.text, code: true },
    { label: "reason", value: (row) => row.reason },
  ];
  return section(
    "rejects",
    "Rejected rows",
    codes.length
      ? `${plural(total, "row")} could not be used; rejects.parquet has all of them with their reasons.`
      : "No row was rejected.",
    codes.length ? table(byCode, codes, { caption: "Rejected rows by code", unit: "codes", class: "narrow" }) : null,
    examples.length
      ? [
          h("h3", "Examples"),
          examples.length < total ? h("p.note", "The first rows of each code, not all.") : null,
          table(columns, examples, { caption: "Examples of rejected rows", unit: "rows", class: "texts" }),
        ]
      : null,
    dropsPart(run.drops),
  );
}

function dropsPart(drops) {
  if (!drops.length) return null;
  const columns = [
    { label: "filter", value: (row) => row.filter, head: true, code: true },
    { label: "rule", value: (row) => row.rule ?? "" },
    { label: "product", value: (row) => row.smiles ?? "", code: true },
    { label: "parent", value: (row) => row.parent_id ?? "" },
    { label: "reason", value: (row) => row.reason ?? "" },
  ];
  return [
    h("h3", "Products that were left out"),
    h(
      "p.note",
      `${plural(drops.length, "product")} that filters left out or that are invalid: a sample, not all, from drops.parquet.`,
    ),
    table(columns, drops, {
      caption: "A sample of products that were left out",
      sortable: true,
      limit: 10,
      unit: "products",
      class: "texts",
      searchLabel: "Filter products",
      search: (row) => Object.values(row).join("\n"),
    }),
  ];
}

// ---- settings, files, citation ----

function settingsSection(run) {
  const { manifest } = run;
  const facts = [
    ["engine", manifest.engine],
    ["engine lost", manifest.engine_lost],
    ["threads", manifest.threads],
    ["key", manifest.key],
    ["deduplication", manifest.dedup],
    ["interruptions", manifest.interruptions ? whole(manifest.interruptions) : null],
    ["filter", manifest.filter ? `${bytes(manifest.filter.bits / 8)}, ${manifest.filter.hashes} hashes` : null],
    ["false positives expected", manifest.filter ? rate(manifest.filter.false_positive_rate_final) : null],
    ["products expected to be lost", manifest.dedup === "bloom" ? real(manifest.filter?.expected_products_lost) : null],
    ["keys by RDKit", listed(manifest.keys_by_rdkit)],
    [
      "checked by RDKit",
      manifest.check
        ? `${plural(manifest.check.decisions, "row")}, ${plural(manifest.check.disagreements, "disagreement")}`
        : null,
    ],
    [
      "drawn combinations",
      manifest.samples?.length
        ? manifest.samples
            .map(({ step, drawn, combinations }) => `step ${step}: ${whole(drawn)} of ${real(combinations)}`)
            .join("; ")
        : null,
    ],
  ];
  return section(
    "settings",
    "Settings",
    "job.toml, which molsieve run accepts, makes the same files again.",
    definitions(facts),
    h(
      "details",
      { open: run.settings.split("\n").length <= 40 },
      h("summary", "job.toml"),
      h("pre", { tabindex: "0", role: "group", "aria-label": "job.toml" }, run.settings),
    ),
  );
}

function rate(value) {
  return value ? value.toExponential(1) : "0";
}

function listed(counts) {
  const entries = Object.entries(counts ?? {});
  return entries.length ? entries.map(([name, count]) => `${name} ${whole(count)}`).join(", ") : null;
}

function filesSection(run) {
  const { files, rejects, drops, duplicates, inputs, reagents = [] } = run.manifest;
  const all = [...files, rejects, drops, duplicates].filter(Boolean);
  const columns = [
    { label: "file", value: (row) => row.name, head: true, code: true },
    { label: "rows", value: (row) => row.rows, number: true },
    { label: "size", value: (row) => row.bytes, number: true, show: (row) => bytes(row.bytes) },
    { label: "SHA-256", value: (row) => row.sha256, code: true },
  ];
  const read = [
    { label: "input", value: (row) => row.path, head: true, code: true },
    { label: "format", value: (row) => row.format },
    { label: "size", value: (row) => row.bytes, number: true, show: (row) => bytes(row.bytes) },
    { label: "SMILES", value: (row) => row.smiles_column ?? "–" },
    { label: "id", value: (row) => row.id_column ?? "–" },
    { label: "remarks", value: (row) => (row.notes ?? []).join("; ") },
  ];
  const sets = [
    { label: "reagents", value: (row) => row.path ?? row.name, head: true, code: true },
    numeric("rows", "rows", null, false),
    numeric("rejected", "rejected", null, false),
    numeric("without match", "without_match", null, false),
  ];
  const total = all.reduce((sum, file) => sum + file.bytes, 0);
  return section(
    "files",
    "Files",
    `${plural(all.length, "file")}, ${bytes(total)}, in ${run.directory}`,
    folded(all.length, "files", table(columns, all, { caption: "Files of the run", unit: "files", class: "texts" })),
    inputs.length
      ? [
          h("h3", "Inputs"),
          folded(
            inputs.length,
            "inputs",
            table(read, inputs, { caption: "Inputs of the run", unit: "inputs", class: "texts" }),
          ),
        ]
      : null,
    reagents.length
      ? [
          h("h3", "Reagents"),
          folded(reagents.length, "sets", table(sets, reagents, { caption: "Sets of reagents", unit: "sets" })),
        ]
      : null,
  );
}

// A long list is closed at first.
function folded(count, unit, content) {
  return count > DETAILS_FROM ? h("details", h("summary", `${whole(count)} ${unit}`), content) : content;
}

function citeSection(report) {
  const releases = [...new Set(report.runs.map((run) => run.manifest.software.rdkit))];
  const versions = [...new Set(report.runs.map((run) => run.manifest.software.molsieve))];
  return section(
    "cite",
    "How to cite",
    "Results come from RDKit; name the release that made them.",
    h(
      "ul.cite",
      releases.map((release) =>
        h("li", `RDKit: Open-source cheminformatics, https://www.rdkit.org, release ${release}, doi:10.5281/zenodo.591637`),
      ),
      versions.map((version) => h("li", `molsieve ${version}`)),
    ),
  );
}
