// Page of `molsieve ui`: one job, live: its events as they come, its log, its report, and what can be done with it.

import { announce, ask, confirmed, send } from "./ui_api.js";
import { badge, bytes, count, counted, duration, h, isFinal, moment, percent, setText, share, shareText, signed, standing, title, userName } from "./ui_text.js";

const AGAIN_MS = 3000;
// As much of a log as is kept in the page.
const LOG_CHARS_MAX = 400000;
const PRIORITY_MAX = 10;

export function jobView(id) {
  const parts = [headOf(id), progressPanel(), funnelPanel(), reportPanel(id), logPanel(id), settingsPanel(), factsPanel()];
  const [head, , , , log] = parts;
  const element = h("article.job", head.element, h("div.panels", parts.slice(1).map((part) => part.element)));
  let job = null;
  let events = null;
  let again = 0;
  let gone = false;

  const show = (now) => {
    // An answer may come behind an event that is newer.
    if (job && now.seq < job.seq) return;
    const before = job?.state;
    job = now;
    if (before && before !== now.state) announce(`${title(now)} ${standing(now)}.`);
    parts.forEach((part) => part.set(now, update));
    if (isFinal(now)) close();
  };
  const update = (now) => show(now);
  const close = () => {
    clearTimeout(again);
    events?.close();
    events = null;
  };
  const open = () => {
    if (events || !job || isFinal(job)) return;
    events = new EventSource(`/v1/jobs/${id}/events?after=${job.seq}`);
    events.addEventListener("state", (event) => show(JSON.parse(event.data)));
    events.addEventListener("progress", (event) => show({ ...job, progress: JSON.parse(event.data) }));
    // The browser reconnects unless the answer was an error.
    events.onerror = () => {
      if (events?.readyState !== EventSource.CLOSED) return;
      events = null;
      again = setTimeout(open, AGAIN_MS);
    };
  };
  // The first tick reads the job; later ones see that it was not removed elsewhere.
  const tick = async () => {
    if (gone) return;
    let now;
    try {
      now = await ask("GET", `/v1/jobs/${id}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      gone = true;
      close();
      element.replaceChildren(h("h1", { tabindex: "-1" }, `Job ${id}`), h("p.none", `${error.message}. `, h("a", { href: "#/" }, "All jobs")));
      return;
    }
    show(now);
    open();
    log.open(now);
  };
  const hide = () => { close(); log.close(); };
  return { element, page: "job", title: () => (job ? title(job) : `Job ${id}`), tick, hide };
}

// ---- the head: name, state, actions ----

function headOf(id) {
  const state = badge();
  const heading = h("h1", { tabindex: "-1" }, `Job ${id}`);
  const stands = h("p.stands");
  const priority = h("span");
  const failure = h("p.failure", { role: "alert", hidden: true });
  const button = (text, act, classes = "button") => h(classes, { type: "button", click: () => run(act) }, text);
  let job = null;
  let update = null;

  // Runs an action and shows why it failed.
  const run = async (act) => {
    failure.hidden = true;
    try {
      await act();
    } catch (error) {
      failure.hidden = false;
      setText(failure, error.message);
    }
  };
  const cancel = button("Cancel job…", async () => {
    const text = "Its process stops for good. The files that it has written stay.";
    if (!(await confirmed({ title: `Cancel job ${id}?`, text, yes: "Cancel the job", no: "Keep it" }))) return;
    update(await ask("POST", `/v1/jobs/${id}/cancel`));
  }, "button.danger");
  const remove = button("Remove…", async () => {
    const text = "The daemon forgets the job. Its output directory stays.";
    if (!(await confirmed({ title: `Remove job ${id} from the list?`, text, yes: "Remove it", no: "Keep it" }))) return;
    await ask("DELETE", `/v1/jobs/${id}`);
    announce(`Job ${id} is removed.`);
    location.hash = "#/";
  });
  const setPriority = (change) => async () => {
    update(await ask("PATCH", `/v1/jobs/${id}`, JSON.stringify({ priority: job.priority + change })));
    announce(`Priority ${signed(job.priority)}.`);
  };
  const lower = button("Lower", setPriority(-1));
  const higher = button("Raise", setPriority(1));
  lower.setAttribute("aria-label", "Lower the priority");
  higher.setAttribute("aria-label", "Raise the priority");
  const group = h("div.priority", { role: "group", "aria-label": "Priority" }, "Priority ", priority, lower, higher);
  const copy = h("a.button", { href: `#/new/${id}` }, "New job like this");
  const element = h("header.head", h("div", h("a.back", { href: "#/" }, "Jobs"), heading, h("p", state.element, " ", stands)),
    h("div.tools", group, copy, remove, cancel), failure);

  const set = (now, onUpdate) => {
    [job, update] = [now, onUpdate];
    setText(heading, title(now));
    state.set(now);
    setText(stands, headline(now));
    setText(priority, signed(now.priority));
    const ended = isFinal(now);
    cancel.hidden = ended || now.cancel_asked;
    remove.hidden = !ended;
    group.hidden = ended;
    lower.disabled = now.priority <= -PRIORITY_MAX;
    higher.disabled = now.priority >= PRIORITY_MAX;
  };
  return { element, set };
}

// What the badge does not say.
function headline(job) {
  const since = (from, to) => duration((new Date(to ?? Date.now()) - new Date(from)) / 1000);
  const by = `by ${userName(job)}`;
  if (job.state === "running") return `${by}, for ${since(job.started_at)}`;
  if (isFinal(job)) return job.started_at ? `${by}, after ${since(job.started_at, job.ended_at)}` : by;
  return `${by}; it ${standing({ ...job, error: null })}`;
}

function panel(name, ...content) {
  return h("section.panel", { class: `panel p-${name.toLowerCase().replace(/[^a-z]+/g, "-")}` }, h("h2", name), content);
}

// ---- progress ----

// Each figure: its name, and its text for a job and its progress.
const FIGURES = [
  ["Rows done", (p) => `${count(Math.max(0, p.counts.parents_read - p.earlier_rows))} of ${p.parents_exact ? "" : "about "}${count(p.parents)}`],
  ["Products", (p) => count(p.counts.products_unique)],
  ["Made per second", (p) => count(p.products_per_second)],
  ["Time left", (p, job) => (isFinal(job) ? null : job.state === "running" && p.remaining_seconds !== null ? duration(p.remaining_seconds) : "–")],
  ["Elapsed", (p) => duration(p.elapsed_seconds)],
  ["Step", (p) => (p.steps > 1 ? `${p.step} of ${p.steps}` : null)],
  ["Memory", (p) => `${bytes(p.memory_bytes)} of ${bytes(p.memory_budget_bytes)}`],
  ["Written", (p, job) => (isFinal(job) ? null : `${bytes(p.bytes_written)} in ${counted(p.parts, "part")}`)],
  ["Busiest stage", (p, job) => (job.state === "running" ? p.busiest || "–" : null)],
  ["Deduplicating", (p, job) => (!isFinal(job) && p.settling && p.settling.of > 0 ? percent(p.settling.done, p.settling.of) : null)],
];

function progressPanel() {
  const bar = h("progress.large", { max: 1, "aria-label": "Progress of the job" });
  const text = h("span.share");
  const error = h("p.error", { hidden: true });
  const note = h("p.note", { hidden: true });
  const figures = FIGURES.map(([name, value]) => {
    const dd = h("dd");
    return { value, dd, element: h("div", h("dt", name), dd) };
  });
  const list = h("dl.figures", figures.map((figure) => figure.element));
  const element = panel("Progress", h("div.bar", bar, text), error, list, note);
  const set = (job) => {
    const done = share(job);
    if (done === null && job.state !== "starting") bar.value = 0;
    else if (done === null) bar.removeAttribute("value");
    else bar.value = done;
    setText(text, shareText(job));
    error.hidden = !job.error;
    setText(error, job.error ?? "");
    list.hidden = !job.progress;
    for (const figure of figures) {
      const value = job.progress ? figure.value(job.progress, job) : null;
      figure.element.hidden = value === null;
      setText(figure.dd, value ?? "");
    }
    note.hidden = !isFinal(job) || !job.progress;
    setText(note, "Figures of the last progress event. manifest.json in the output directory has the final ones.");
  };
  return { element, set };
}

// ---- what became of rows and products ----

const ROWS = [
  ["parents_read", "Rows read"],
  ["parents_transformed", "transformed"],
  ["parents_filtered", "left out by filters"],
  ["parents_rejected", "rejected"],
];
const PRODUCTS = [
  ["products_made", "Products made"],
  ["products_unique", "written"],
  ["products_duplicate", "duplicates"],
  ["products_symmetric", "repeats of one parent"],
  ["products_unchanged", "equal to their parent"],
  ["products_invalid", "invalid"],
  ["products_filtered", "left out by filters"],
  ["products_capped", "capped"],
];

function funnelPanel() {
  const groups = [ROWS, PRODUCTS].map((lines, group) => lines.map(([key, name], at) => {
    const fill = h("div.fill");
    const [number, part] = [h("td.number"), h("td.number")];
    const kind = at === 0 ? "all" : at === 1 ? "kept" : "lost";
    const element = h("tr", { class: kind }, h("th", { scope: "row" }, name), h("td.track", h("div", { "aria-hidden": "true" }, fill)), number, part);
    return { key, of: lines[0][0], group, at, fill, number, part, element };
  }));
  const table = h("table.funnel", h("caption.hidden", "What became of the rows and of the products"),
    h("thead.hidden", h("tr", ["What", "Bar", "Number", "Share"].map((name) => h("th", { scope: "col" }, name)))),
    groups.map((lines) => h("tbody", lines.map((line) => line.element))));
  const element = panel("Counts", table);
  const set = (job) => {
    const counts = job.progress?.counts;
    element.hidden = !counts;
    if (!counts) return;
    for (const line of groups.flat()) {
      const [value, of] = [counts[line.key] ?? 0, counts[line.of]];
      line.element.hidden = line.at > 1 && value === 0;
      line.fill.style.width = `${of > 0 ? (100 * value) / of : 0}%`;
      setText(line.number, count(value));
      setText(line.part, line.at === 0 ? "" : percent(value, of));
    }
  };
  return { element, set };
}

// ---- report ----

function reportPanel(id) {
  const address = `/jobs/${id}/report`;
  const frame = h("iframe", { title: `Report of job ${id}`, sandbox: "allow-scripts", hidden: true });
  const note = h("p.note", { role: "status" }, "What the job made, as one page. The page is made anew each time, which can take some seconds.");
  const show = h("button.button", { type: "button", "aria-expanded": "false", click: () => toggle(frame.hidden) }, "Show the report");
  const link = h("a.button", { href: address, target: "_blank", rel: "noopener" }, "Open in a new tab");
  const element = panel("Report", h("div.tools", show, link), note, frame);
  const toggle = (on) => {
    frame.hidden = !on;
    show.setAttribute("aria-expanded", String(on));
    setText(show, on ? "Hide the report" : "Show the report");
    if (!on) return frame.removeAttribute("src");
    setText(note, "The report is being made …");
    frame.onload = () => setText(note, "The report is below.");
    frame.src = address;
  };
  const set = (job) => { element.hidden = job.state !== "done"; };
  return { element, set };
}

// ---- log ----

function logPanel(id) {
  const text = h("pre.log", { tabindex: "0", role: "region", "aria-label": "Log of the job" });
  const follow = h("input", { type: "checkbox", id: "follow", checked: true });
  const state = h("span.muted");
  const element = panel("Log", h("div.tools", h("label.check", follow, "Follow"), state), text);
  let reading = null;

  const append = (piece) => {
    const all = text.textContent + piece;
    text.hidden = false;
    setText(state, "");
    text.textContent = all.length > LOG_CHARS_MAX ? `…${all.slice(-LOG_CHARS_MAX)}` : all;
    if (follow.checked) text.scrollTop = text.scrollHeight;
  };
  const open = async (job) => {
    if (reading) return;
    const stop = new AbortController();
    reading = stop;
    text.textContent = "";
    text.hidden = true;
    setText(state, isFinal(job) ? "" : "Nothing so far.");
    try {
      const answer = await send(`/v1/jobs/${id}/log?follow=${!isFinal(job)}`, { signal: stop.signal });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        append(value);
      }
      setText(state, text.textContent === "" ? "The log is empty." : "The log is complete.");
    } catch (error) {
      if (stop.signal.aborted) return;
      setText(state, `The log broke off: ${error.message}`);
      // It is read anew with a later tick.
      setTimeout(() => { if (reading === stop) reading = null; }, AGAIN_MS);
    }
  };
  const close = () => {
    reading?.abort();
    reading = null;
  };
  return { element, set: () => {}, open, close };
}

// ---- facts and settings ----

function demandText(demand) {
  const gpu = { none: "", if_free: ", a GPU if one is free", one: ", a GPU" }[demand.gpu] ?? "";
  return `${bytes(demand.memory_bytes)}, ${counted(demand.threads, "thread")}${gpu}`;
}

function describe(list, pairs) {
  const text = JSON.stringify(pairs);
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...pairs.map(([name, value]) => h("div", h("dt", name), h("dd", value))));
}

function factsPanel() {
  const list = h("dl.facts");
  const element = panel("Run", list);
  const set = (job) => describe(list, [
    ["User", userName(job)],
    ["Submitted", moment(job.submitted_at)],
    ["Started", job.started_at && moment(job.started_at)],
    ["Ended", job.ended_at && moment(job.ended_at)],
    ["Took", job.started_at && job.ended_at && duration((new Date(job.ended_at) - new Date(job.started_at)) / 1000)],
    ["Needs", demandText(job.demand)],
    ["Attempts", job.attempts > 1 && String(job.attempts)],
    [job.waits_for_space ? "Next check" : "Starts again", job.retry_at && moment(job.retry_at)],
    ["Process", job.worker_pid && String(job.worker_pid)],
    ["Exit code", job.exit_code !== null && String(job.exit_code)],
  ].filter(([, value]) => value));
  return { element, set };
}

function settingsPanel() {
  const list = h("dl.facts.settings");
  const element = panel("Settings", list);
  const show = (value) => {
    if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return value.join("\n");
    return typeof value === "object" ? JSON.stringify(value, null, 1) : String(value);
  };
  const first = ["input", "rules", "output"];
  const rank = ([name]) => (first.includes(name) ? first.indexOf(name) : first.length);
  const set = (job) => {
    const pairs = Object.entries(job.settings).sort((a, b) => rank(a) - rank(b));
    const mode = job.mode === "refuse" ? [] : [["mode", job.mode]];
    describe(list, [...pairs.map(([name, value]) => [name.replaceAll("_", " "), name === "memory" && typeof value === "number" ? bytes(value) : show(value)]), ...mode]);
  };
  return { element, set };
}
