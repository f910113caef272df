// Page of `molsieve report`, 2 of 6: the funnel, histograms, lines over time, and the section about speed and memory.
//
// Each takes a list of one or two series, so that the page of two runs draws both into one chart. Labels are HTML, so that
// they keep their size; only marks are SVG, in a square of 1000 units that is stretched to the chart.

const MARKS = 1000;
const SIDES = ["A", "B"];

// ---- the funnel ----

// The stages of one run or two as a table: stages in bold, what was lost between two stages below the first of them.
function funnelTable(runs) {
  const stages = mergedStages(runs);
  const most = {};
  stages.forEach((stage) => {
    most[stage.unit] = Math.max(most[stage.unit] ?? 0, ...stage.counts);
  });
  const body = h("tbody");
  let before = null;
  for (const stage of stages) {
    const first = stages.find((other) => other.unit === stage.unit);
    if (before && before.unit !== stage.unit) body.append(unitRow(before, stage));
    body.append(stageRow(stage, first, most[stage.unit]));
    body.append(...lossRows(stage, most[stage.unit], runs.length));
    before = stage;
  }
  const head = [h("th", { scope: "col" }, "stage")];
  runs.forEach((_, side) => {
    const suffix = runs.length > 1 ? ` ${SIDES[side]}` : "";
    head.push(
      h("th.number", { scope: "col" }, `count${suffix}`),
      h("th.number", { scope: "col", title: "of the first stage; of a loss: of the stage that it leaves" }, `share${suffix}`),
    );
  });
  head.push(h("td"));
  const caption = "Rows and products at each stage, and what was lost in between";
  return wide(caption, h("table.funnel", h("caption.hidden", caption), h("thead", h("tr", head)), body));
}

// The stages of both runs by label, each with a count per run and its losses likewise.
function mergedStages(runs) {
  const stages = [];
  runs.forEach((run, side) =>
    run.funnel.forEach((stage, at) => {
      let merged = stages.find((other) => other.label === stage.label && other.unit === stage.unit);
      if (!merged) {
        merged = { label: stage.label, unit: stage.unit, counts: runs.map(() => 0), losses: [] };
        stages.splice(side ? at : stages.length, 0, merged);
      }
      merged.counts[side] = stage.count;
      for (const { label, count } of stage.losses ?? []) {
        let loss = merged.losses.find((other) => other.label === label);
        if (!loss) merged.losses.push((loss = { label, counts: runs.map(() => 0) }));
        loss.counts[side] = count;
      }
    }),
  );
  return stages;
}

function stageRow(stage, first, most) {
  const cells = stage.counts.flatMap((count, side) => [
    h("td.number", whole(count)),
    h("td.number", percent(count, first.counts[side])),
  ]);
  const bars = stage.counts.map((count, side) => funnelBar(0, count, most, side, stage.counts.length));
  return h("tr.stage", { "data-stage": stage.label }, h("th", { scope: "row" }, stage.label), cells, h("td.bars", bars));
}

// Losses that no run had share one row, because a list of zeros hides the others.
function lossRows(stage, most, runs) {
  const [some, none] = [[], []];
  stage.losses.forEach((loss) => (loss.counts.some((count) => count > 0) ? some : none).push(loss));
  const left = [...stage.counts];
  const rows = some.map((loss) => {
    const place = { "data-stage": stage.label, "data-loss": loss.label };
    const cells = loss.counts.flatMap((count, side) => [
      h(count ? "td.number" : "td.number.zero", count ? `−${whole(count)}` : "0"),
      h(count ? "td.number" : "td.number.zero", percent(count, stage.counts[side])),
    ]);
    const bars = loss.counts.map((count, side) => {
      left[side] -= count;
      return funnelBar(Math.max(0, left[side]), count, most, side, runs);
    });
    return h("tr.loss", place, h("th", { scope: "row" }, loss.label), cells, h("td.bars", bars));
  });
  if (none.length) {
    const labels = none.map((loss) => loss.label).join(", ");
    rows.push(
      h(
        "tr.none",
        h("th", { scope: "row" }, `nothing lost: ${labels}`),
        h("td.number", { colspan: "1" }, "0"),
        h("td", { colspan: String(2 * runs) }),
      ),
    );
  }
  return rows;
}

// Products are not parents: between the two stands the number of products per parent.
function unitRow(before, after) {
  const cells = before.counts.flatMap((count, side) => [
    h("td.number", count ? `× ${real(after.counts[side] / count)}` : "–"),
    h("td"),
  ]);
  return h("tr.unit", h("th", { scope: "row" }, `${after.unit} per ${before.unit.replace(/s$/, "")}`), cells, h("td"));
}

function funnelBar(start, count, most, side, runs) {
  const place = count ? `margin-left:${(100 * start) / most}%;width:${(100 * count) / most}%` : "visibility:hidden";
  return h(runs > 1 ? `div.measure.side-${side ? "b" : "a"}` : "div.measure", { style: place });
}

// ---- frames of charts ----

// A chart: `frame` has `label` (what it shows, in words), `x` and `y` (lowest and highest value), `xTicks` and `yTicks`
// ([value, text] each).
function plot(frame, ...marks) {
  const across = (value) => (100 * (value - frame.x[0])) / (frame.x[1] - frame.x[0] || 1);
  const up = (value) => (100 * (value - frame.y[0])) / (frame.y[1] - frame.y[0] || 1);
  const lines = frame.yTicks.map(([value]) =>
    svg("line.grid", { x1: 0, x2: MARKS, y1: MARKS - 10 * up(value), y2: MARKS - 10 * up(value) }),
  );
  const image = svg(
    "svg",
    { role: "img", "aria-label": frame.label, viewBox: `0 0 ${MARKS} ${MARKS}`, preserveAspectRatio: "none" },
    lines,
    marks,
  );
  const left = frame.yTicks.map(([value, text]) => h("span", { style: `bottom:${up(value)}%` }, text));
  const below = frame.xTicks.map(([value, text]) =>
    h("span", { style: `left:${across(value)}%`, class: across(value) > 92 ? "last" : null }, text),
  );
  return h(
    left.length ? "div.plot" : "div.plot.bare",
    h("div.y-labels", { "aria-hidden": "true" }, left),
    h("div.marks", image),
    h("div.x-labels", { "aria-hidden": "true" }, below),
  );
}

// About `wanted` round values between two numbers.
function ticks(low, high, wanted, text) {
  const span = high - low;
  if (!(span > 0)) return [[low, text(low)]];
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const values = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1)
    values.push(Number((at * step).toPrecision(12)));
  return values.map((value) => [value, text(value)]);
}

// Times at an axis: round in seconds, minutes or hours.
const TIME_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800];

function timeTicks(seconds) {
  const step = TIME_STEPS.find((size) => seconds / size <= 4.5);
  if (seconds < 0.2 || !step) return ticks(0, seconds, 3, duration);
  const unit = step >= 3600 ? [3600, "h"] : step >= 60 ? [60, "min"] : [1, "s"];
  const values = Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, at) => at * step);
  return values.map((value) => [value, `${Number((value / unit[0]).toFixed(1))} ${unit[1]}`]);
}

// Large numbers at an axis: 1.2k, 30M.
function short(number) {
  const [size, unit] = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ].find(([limit]) => number >= limit) ?? [1, ""];
  return `${Number((number / size).toPrecision(3))}${unit}`;
}

// ---- histograms ----

// The histogram of a property: one series with counts, or two with the shares of their rows, whose bins may differ.
function histogram(series) {
  const known = series.filter(Boolean);
  const { name, meaning } = known[0];
  const shapes = known.map((property) => binShapes(property, known.length > 1));
  const x = [Math.min(...shapes.map((shape) => shape.low)), Math.max(...shapes.map((shape) => shape.high))];
  const highest = Math.max(...shapes.flatMap((shape) => shape.bins.map((bin) => bin.height))) || 1;
  const frame = {
    label: known.map((property) => histogramText(property, series.length > 1 && SIDES[series.indexOf(property)])).join(" "),
    x,
    y: [0, highest * 1.04],
    xTicks: ticks(x[0], x[1], 4, real),
    yTicks: known.length > 1 ? [] : ticks(0, highest, 3, short).filter(([value]) => Number.isInteger(value)),
  };
  const place = (value) => (MARKS * (value - x[0])) / (x[1] - x[0] || 1);
  const marks = shapes.map((shape) => {
    const side = series.indexOf(shape.property);
    return series.length > 1 ? outline(shape, place, frame.y[1], side) : bars(shape, place, frame.y[1]);
  });
  const medians = known.map((property) => {
    const at = place(property.median);
    const side = series.length > 1 ? `.side-${series.indexOf(property) ? "b" : "a"}` : "";
    return svg(`line.median${side}`, { x1: at, x2: at, y1: 0, y2: MARKS });
  });
  return h(
    "figure.histogram",
    { "data-property": name },
    h("figcaption", h("code", name), " ", h("span.muted", meaning === name ? "" : meaning)),
    plot(frame, marks, medians),
    series.map((property, side) => property && histogramFacts(property, series.length > 1 && SIDES[side])),
  );
}

// The bins of a property with their heights: counts, or shares per unit of the axis. A bin for one value (`from` equals
// `to`) reaches half way to its neighbours.
function binShapes(property, shares) {
  const values = property.bins.map((bin) => bin.from);
  const gaps = values
    .slice(1)
    .map((value, at) => value - values[at])
    .filter((gap) => gap > 0);
  const half = gaps.length ? Math.min(...gaps) / 2 : 0.5;
  const bins = property.bins.map(({ from, to, count }) => {
    const [start, end] = to > from ? [from, to] : [from - half, to + half];
    return { from, to, count, start, end, height: shares ? count / (property.rows || 1) / (end - start) : count };
  });
  return { property, bins, low: Math.min(...bins.map((bin) => bin.start)), high: Math.max(...bins.map((bin) => bin.end)) };
}

function bars(shape, place, top) {
  return shape.bins.map((bin) => {
    const height = (MARKS * bin.height) / top;
    const gap = Math.min(4, (place(bin.end) - place(bin.start)) / 8);
    const range = bin.to > bin.from ? `${real(bin.from)} to ${real(bin.to)}` : real(bin.from);
    return svg(
      "rect.bin",
      { x: place(bin.start) + gap, width: Math.max(1, place(bin.end) - place(bin.start) - 2 * gap), y: MARKS - height, height },
      svg("title", `${range}: ${whole(bin.count)}`),
    );
  });
}

function outline(shape, place, top, side) {
  const level = (bin) => (MARKS - (MARKS * bin.height) / top).toFixed(1);
  const steps = shape.bins.map((bin) => `V${level(bin)}H${place(bin.end).toFixed(1)}`);
  return svg(`path.outline.side-${side ? "b" : "a"}`, {
    d: `M${place(shape.low).toFixed(1)} ${MARKS}${steps.join("")}V${MARKS}`,
  });
}

// What a histogram shows, for screen readers.
function histogramText(property, side) {
  const most = property.bins.reduce((best, bin) => (bin.count > best.count ? bin : best), property.bins[0]);
  const range = most.to > most.from ? `between ${real(most.from)} and ${real(most.to)}` : `of ${real(most.from)}`;
  return (
    `${side ? `${side}: ` : `Histogram of ${property.meaning}: `}` +
    `${whole(property.rows)} rows from ${real(property.min)} to ${real(property.max)}, ` +
    `median ${real(property.median)}, mean ${real(property.mean)}; most, ${whole(most.count)}, have a value ${range}.`
  );
}

function histogramFacts(property, side) {
  return h(
    side ? `dl.row.side-${side.toLowerCase()}` : "dl.row",
    side ? h("div.which", h("dt.hidden", "run"), h("dd", side)) : null,
    ["min", "median", "mean", "max"].map((key) => h("div", h("dt", key), h("dd", real(property[key])))),
  );
}

// ---- lines over time ----

// Lines over seconds. `lines`: `name`, `points` ([seconds, value]), `kind` (a class). `bound`: a value with a name, drawn
// as a dashed line.
function timeChart(title, lines, text, bound) {
  const seconds = Math.max(...lines.flatMap((line) => line.points.map((point) => point[0])));
  const highest = Math.max(bound?.value ?? 0, ...lines.flatMap((line) => line.points.map((point) => point[1]))) || 1;
  const frame = {
    label: [
      `${title} over ${duration(seconds)}.`,
      ...lines.map((line) => lineText(line, text)),
      ...(bound ? [`${bound.name}: ${text(bound.value)}.`] : []),
    ].join(" "),
    x: [0, seconds],
    y: [0, highest * 1.06],
    xTicks: timeTicks(seconds),
    yTicks: text === bytes ? byteTicks(highest) : ticks(0, highest, 4, short),
  };
  const x = (value) => ((MARKS * value) / (seconds || 1)).toFixed(1);
  const y = (value) => (MARKS - (MARKS * value) / frame.y[1]).toFixed(1);
  const marks = lines.map((line) =>
    svg(`polyline.line.${line.kind}`, { points: line.points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ") }),
  );
  if (bound) marks.push(svg("line.bound", { x1: 0, x2: MARKS, y1: y(bound.value), y2: y(bound.value) }));
  const keys = [...lines.map((line) => [line.name, line.kind]), ...(bound ? [[bound.name, "bound"]] : [])];
  return h(
    "figure.time",
    h(
      "figcaption",
      title,
      h(
        "span.keys",
        keys.map(([name, kind]) => h("span", h(`i.key.${kind}`), name)),
      ),
    ),
    plot(frame, marks),
  );
}

// Round values of bytes: powers of two.
function byteTicks(highest) {
  const step = 2 ** Math.floor(Math.log2(highest / 2));
  const values = [];
  for (let at = 0; at <= highest; at += step) values.push([at, at ? bytes(at) : "0"]);
  return values;
}

function lineText(line, text) {
  const values = line.points.map((point) => point[1]);
  const range = `${text(Math.min(...values))} to ${text(Math.max(...values))}`;
  return `${line.name}: ${range}, ${text(values[values.length - 1])} at the end.`;
}

// Values per second between the points of a timeline, as points at the later of the two.
function rates(timeline, key) {
  let before = { seconds: 0, [key]: 0 };
  const points = [];
  for (const point of timeline) {
    const passed = point.seconds - before.seconds;
    if (passed > 0) {
      points.push([point.seconds, Math.max(0, (point[key] - before[key]) / passed)]);
      before = point;
    }
  }
  if (points.length) points.unshift([0, points[0][1]]);
  return points;
}

// ---- speed and memory ----

const CHART_KINDS = ["side-a", "side-b"];

function speedSection(runs) {
  const timed = runs.filter((run) => run.manifest.timeline?.length > 1);
  const note = timed.length
    ? null
    : "The run has no record of speed and memory over time: an older molsieve made it, or it was too short.";
  return section(
    "speed",
    "Speed and memory",
    note,
    memoryMeters(runs),
    timed.length ? h("div.times", timeCharts(runs)) : null,
    stageTables(runs),
  );
}

function timeCharts(runs) {
  const made = runs.some((run) => run.manifest.task !== "dedup" && run.manifest.rules > 0);
  const key = made ? "products" : "parents";
  const lines = (points, single) =>
    runs
      .map((run, side) => ({
        name: runs.length > 1 ? SIDES[side] : single,
        kind: CHART_KINDS[side],
        points: points(run.manifest.timeline ?? []),
      }))
      .filter((line) => line.points.length);
  const total = (field) => (timeline) =>
    timeline.length ? [[0, 0], ...timeline.map((point) => [point.seconds, point[field]])] : [];
  const memory = (timeline) => timeline.map((point) => [point.seconds, point.memory_bytes]);
  const budget = runs.length === 1 ? { name: "budget", value: runs[0].manifest.memory_budget_bytes } : null;
  const written = lines(total("unique"), "unique, written");
  const all =
    runs.length === 1 && made ? [{ name: "made", kind: "side-b", points: total("products")(runs[0].manifest.timeline) }] : [];
  return [
    timeChart(
      made ? "Products made per second" : "Rows read per second",
      lines((timeline) => rates(timeline, key), "rate"),
      short,
    ),
    timeChart(made ? "Products" : "Molecules", [...written, ...all], short),
    timeChart("Resident memory", lines(memory, "memory"), bytes, budget),
  ];
}

// Speed in a sentence, and peak memory against its budget.
function memoryMeters(runs) {
  return h(
    "div.meters",
    runs.map((run, side) => {
      const { peak_memory_bytes: peak, memory_budget_bytes: budget } = run.manifest;
      const memory = `Peak memory ${bytes(peak)} of ${bytes(budget)} allowed (${percent(peak, budget)}).`;
      const share = Math.min(100, (100 * peak) / (budget || 1));
      return h(
        `div.meter.${CHART_KINDS[side]}`,
        h("p", runs.length > 1 ? h("b", `${SIDES[side]} `) : null, speedText(run.manifest), memory),
        h("div.rail", { "aria-hidden": "true" }, h("div", { style: `width:${share.toFixed(1)}%` })),
      );
    }),
  );
}

// Products that took time per second of the whole job; without rules, rows.
function speedText({ rules, task, counts, elapsed_seconds }) {
  if (!(elapsed_seconds > 0)) return "";
  if (!rules || task === "dedup") return `${whole(counts.parents_read / elapsed_seconds)} rows read per second. `;
  return `${whole((counts.products_made - (counts.products_capped ?? 0)) / elapsed_seconds)} products made per second. `;
}

const STAGES = [
  ["source", "reading"],
  ["chemistry", "chemistry"],
  ["sieve", "keys and filter"],
  ["sink", "writing"],
  ["settle", "exact deduplication"],
];
const CHEMISTRY = [
  ["parse", "parsing"],
  ["find_sites", "finding sites"],
  ["react", "running reactions"],
  ["finish", "finishing products"],
  ["write", "writing SMILES"],
  ["describe", "properties"],
  ["keys", "structure keys"],
];

function stageTables(runs) {
  return h(
    "div.columns",
    secondsTable(
      "Work by stage",
      "Seconds of work, summed over threads",
      STAGES,
      runs.map((run) => run.manifest.stage_seconds),
    ),
    secondsTable(
      "Work of the chemistry",
      "Seconds of chemistry, summed over threads",
      CHEMISTRY,
      runs.map((run) => run.manifest.chemistry_seconds),
    ),
  );
}

function secondsTable(title, caption, names, seconds) {
  const rows = names
    .map(([key, label]) => ({ label, values: seconds.map((stages) => stages?.[key] ?? 0) }))
    .filter((row) => row.values.some((value) => value > 0));
  if (!rows.length) return null;
  const columns = [{ label: "", value: (row) => row.label, head: true }];
  seconds.forEach((_, side) => {
    const total = rows.reduce((sum, row) => sum + row.values[side], 0);
    const value = (row) => row.values[side];
    const suffix = seconds.length > 1 ? ` ${SIDES[side]}` : "";
    columns.push(
      { label: `seconds${suffix}`, value, number: true, bar: true, show: (row) => real(value(row)) },
      { label: `share${suffix}`, value, number: true, show: (row) => percent(value(row), total) },
    );
  });
  columns[0].label = "stage";
  return h("div.part", h("h3", title), h("p.note", `${caption}.`), table(columns, rows, { caption, unit: "stages" }));
}
