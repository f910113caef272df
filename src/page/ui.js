// Page of `molsieve ui`: which view is shown, the node, the list of jobs.

import { announce, ask, trouble } from "./ui_api.js";
import { formView } from "./ui_form.js";
import { jobView } from "./ui_job.js";
import { age, badge, bytes, count, duration, h, isFinal, setText, share, shareText, signed, standing, title, userName } from "./ui_text.js";

const POLL_MS = 2000;
const PAGE_JOBS = 100;

const main = document.getElementById("main");
let me = null;
// The view that is shown: { element, title, tick?, show?, hide? }.
let view = null;

// ---- views ----

function viewOf(address) {
  const job = /^#\/job\/([1-9][0-9]*)$/.exec(address);
  if (job) return jobView(Number(job[1]));
  const form = /^#\/new(?:\/([1-9][0-9]*))?$/.exec(address);
  if (form) return formView(form[1] ? Number(form[1]) : null);
  return listView();
}

function navigate(isFirst) {
  view?.hide?.();
  view = viewOf(location.hash);
  main.replaceChildren(view.element);
  setTitle();
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === view.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!document.hidden) view.show?.();
  // Keyboard and screen reader begin at the heading of the new view.
  if (!isFirst) main.querySelector("h1")?.focus();
  window.scrollTo(0, 0);
  tick();
}

function setTitle() {
  document.title = `${view.title()} – molsieve`;
}

let ticking = false;

// Reads what may have changed. One round at a time; nothing while the page is not seen.
async function tick() {
  if (ticking || document.hidden || !me) return;
  ticking = true;
  try {
    const [node] = await Promise.all([ask("GET", "/v1/node"), view.tick?.()]);
    showNode(node);
    trouble(null);
  } catch (error) {
    trouble(error);
  } finally {
    ticking = false;
    setTitle();
  }
}

// ---- the node ----

function meter(label, used, of, text) {
  const bar = h("progress", { max: Math.max(of, 1), value: used, "aria-label": `${label} in use` });
  return h("div", h("dt", label), h("dd", bar, h("span", text)));
}

function showNode(node) {
  const { admitted, budget, jobs } = node;
  const waiting = jobs.queued + jobs.interrupted;
  const running = jobs.running + jobs.starting + jobs.stopping;
  const items = [
    h("div.plain", h("dt", "Jobs"), h("dd", h("span", `${count(running)} running, ${count(waiting)} waiting`))),
    meter("Memory", admitted.memory_bytes, budget.memory_bytes, `${bytes(admitted.memory_bytes)} of ${bytes(budget.memory_bytes)}`),
    meter("Threads", admitted.threads, budget.threads, `${count(admitted.threads)} of ${count(budget.threads)}`),
  ];
  if (budget.gpus > 0) {
    const devices = node.devices.map((device) => {
      const free = device.free_bytes === null ? "" : `, ${bytes(device.free_bytes)} free`;
      const heat = device.temperature_celsius === null ? "" : `, ${device.temperature_celsius} °C`;
      return `${device.name ?? "GPU"}${free}${heat}`;
    });
    const gpus = meter("GPUs", admitted.gpus, budget.gpus, `${count(admitted.gpus)} of ${count(budget.gpus)}`);
    gpus.title = devices.join("\n");
    items.push(gpus);
  }
  const text = (children) => children.map((child) => child.textContent).join("|");
  const box = document.getElementById("node");
  if (text([...box.children]) !== text(items)) box.replaceChildren(...items);
}

// ---- the list ----

const STATES = {
  "": "all states",
  "queued,starting,running,stopping,interrupted": "not ended",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};
// What the list shows stays when the user comes back to it.
const filter = { states: "", everybody: false, pages: 1 };

function listView() {
  const body = h("tbody");
  const table = h("table.jobs", h("caption.hidden", "Jobs, newest first"),
    h("thead", h("tr", ["Job", "State", "User", "Priority", "Progress", "Products", "Products/s", "Time left", "Age"]
      .map((name) => h("th", { scope: "col", class: columnClass(name) }, name)))), body);
  const none = h("p.none", { hidden: true });
  const older = h("button", { type: "button", hidden: true, click: () => { filter.pages += 1; tick(); } }, "Show older jobs");
  const states = h("select", { change: (event) => { filter.states = event.target.value; reset(); } },
    Object.entries(STATES).map(([value, text]) => h("option", { value, selected: value === filter.states }, text)));
  const everybody = h("input", { type: "checkbox", id: "everybody", checked: filter.everybody,
    change: (event) => { filter.everybody = event.target.checked; reset(); } });
  const rows = new Map();
  const reset = () => { filter.pages = 1; tick(); };
  const element = h("section",
    h("div.head", h("h1", { tabindex: "-1" }, "Jobs"),
      h("div.tools", h("label", "Show ", states),
        h("label.check", everybody, "Jobs of all users that I may see"),
        h("a.button.primary", { href: "#/new" }, "New job"))),
    h("div.scroll", table), none, older);

  const tickList = async () => {
    const { jobs, more } = await readJobs();
    table.classList.toggle("everybody", filter.everybody);
    showRows(body, rows, jobs);
    older.hidden = !more;
    none.hidden = jobs.length > 0;
    table.hidden = jobs.length === 0;
    setText(none, filter.states === "" ? "There are no jobs yet. “New job” submits one." : "No job is in such a state.");
  };
  return { element, page: "jobs", title: () => "Jobs", tick: tickList };
}

async function readJobs() {
  const jobs = [];
  let before = null;
  for (let page = 0; page < filter.pages; page += 1) {
    const query = new URLSearchParams({ limit: PAGE_JOBS });
    if (filter.states) query.set("state", filter.states);
    if (!filter.everybody) query.set("user", me.uid);
    if (before) query.set("before", before);
    const list = await ask("GET", `/v1/jobs?${query}`);
    jobs.push(...list.jobs);
    before = list.next_before;
    if (!before) break;
  }
  return { jobs, more: before !== null };
}

function columnClass(name) {
  return `c-${name.toLowerCase().replace(/[^a-z]+/g, "-")}`;
}

// Changes the rows in place: a row keeps the focus while its numbers change.
function showRows(body, rows, jobs) {
  const shown = new Set(jobs.map((job) => job.id));
  for (const [id, row] of rows) {
    if (!shown.has(id)) {
      row.element.remove();
      rows.delete(id);
    }
  }
  jobs.forEach((job, at) => {
    let row = rows.get(job.id);
    if (!row) rows.set(job.id, (row = jobRow(job)));
    row.set(job);
    if (body.children[at] !== row.element) body.insertBefore(row.element, body.children[at] ?? null);
  });
}

function jobRow(job) {
  const state = badge();
  const bar = h("progress", { max: 1, "aria-label": `Progress of job ${job.id}` });
  const line = (name, text) => {
    setText(texts[name], text);
    texts[name].parentElement.classList.toggle("nothing", text === "–");
  };
  const texts = Object.fromEntries(["share", "user", "priority", "products", "rate", "left", "age"].map((name) => [name, h("span")]));
  const cell = (name, label, ...content) => h("td", { class: columnClass(name), "data-label": label ?? name }, content);
  const element = h("tr",
    h("th", { scope: "row", class: "c-job" }, h("a", { href: `#/job/${job.id}` }, h("span.id", String(job.id)), " ", h("span.name", job.name ?? "unnamed"))),
    cell("State", null, state.element),
    cell("User", null, texts.user),
    cell("Priority", null, texts.priority),
    cell("Progress", null, bar, texts.share),
    cell("Products", null, texts.products),
    cell("Products/s", null, texts.rate),
    cell("Time left", null, texts.left),
    cell("Age", null, texts.age));
  let last = null;
  const set = (now) => {
    if (last !== null && last !== now.state) announce(`${title(now)} ${standing(now)}.`);
    last = now.state;
    state.set(now);
    const progress = now.progress;
    const done = share(now);
    if (done === null) bar.removeAttribute("value");
    else bar.value = done;
    bar.hidden = done === null;
    const works = progress && now.state === "running";
    line("share", shareText(now));
    setText(texts.user, userName(now));
    setText(texts.priority, signed(now.priority));
    line("products", progress ? count(progress.counts.products_unique) : "–");
    line("rate", works ? count(progress.products_per_second) : "–");
    line("left", works && progress.remaining_seconds !== null ? duration(progress.remaining_seconds) : "–");
    setText(texts.age, age(now.submitted_at));
    element.classList.toggle("ended", isFinal(now));
  };
  return { element, set };
}

// ---- light and dark ----

const THEMES = { "": "system", light: "light", dark: "dark" };
const SYMBOLS = { "": "◐", light: "○", dark: "●" };

function setTheme(theme) {
  const button = document.getElementById("theme");
  document.documentElement.dataset.theme = theme;
  setText(button, SYMBOLS[theme]);
  button.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  button.title = `Theme: ${THEMES[theme]}`;
  button.onclick = () => {
    const all = Object.keys(THEMES);
    const next = all[(all.indexOf(theme) + 1) % all.length];
    localStorage.setItem("molsieve-theme", next);
    setTheme(next);
  };
}

// ---- start ----

async function start() {
  const theme = localStorage.getItem("molsieve-theme");
  setTheme(theme in THEMES ? theme : "");
  document.querySelector(".skip").onclick = (event) => { event.preventDefault(); main.focus(); };
  try {
    me = await ask("GET", "/ui/me");
  } catch (error) {
    trouble(error);
    setTimeout(start, POLL_MS);
    return;
  }
  document.getElementById("footer").replaceChildren(
    h("p", `molsieve ${me.molsieve}, as user ${me.name ?? me.uid}, daemon at `, h("code", me.socket)));
  window.addEventListener("hashchange", () => navigate(false));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) view.hide?.();
    else { view.show?.(); tick(); }
  });
  setInterval(tick, POLL_MS);
  navigate(true);
}

start();
