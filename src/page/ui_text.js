// Page of `molsieve ui`: numbers, times, and, in front of it, elements.js.

export { h };

// Sets the text of an element if it is another one, so that nothing is drawn or read out anew without need.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const count = (number) => INTEGER.format(number);

// Memory and files, in binary units.
export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) [number, unit] = [number / 1024, unit + 1];
  const digits = Number.isInteger(number) ? 0 : 1;
  return `${number.toFixed(digits)} ${units[unit]}`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${minutes} min ${whole % 60} s`;
  if (whole < 172800) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(whole / 86400)} d ${hours % 24} h`;
}

const sinceSeconds = (time) => (Date.now() - new Date(time).getTime()) / 1000;

// How long ago a time is, in its largest unit.
export function age(time) {
  const seconds = Math.max(0, sinceSeconds(time));
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

const MOMENT = new Intl.DateTimeFormat("en-CA", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export const moment = (time) => `${MOMENT.format(new Date(time)).replace(",", "")}, ${age(time)} ago`;

export function percent(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–";
}

export const signed = (number) => String(number).replace("-", "−");

export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

// ---- jobs ----

const FINAL = ["done", "failed", "cancelled"];
const SYMBOLS = {
  queued: "○", starting: "◔", running: "●", stopping: "◑", done: "✓", failed: "✕", cancelled: "–", interrupted: "↻",
};

export const isFinal = (job) => FINAL.includes(job.state);

export const userName = (job) => job.user.name ?? String(job.user.uid);

export const title = (job) => (job.name ? `Job ${job.id}: ${job.name}` : `Job ${job.id}`);

// A badge for a state. `set` changes it.
export function badge() {
  const [symbol, word] = [h("span", { "aria-hidden": "true" }), h("span")];
  const element = h("span.badge", symbol, word);
  const set = (job) => {
    element.dataset.state = job.state;
    setText(symbol, SYMBOLS[job.state] ?? "·");
    const isTooLarge = job.waits_for === "larger_budget";
    setText(word, job.state === "done" && job.exit_code === 4 ? "done, some rows rejected" : isTooLarge ? `${job.state}, too large` : job.state);
  };
  return { element, set };
}

// The rows of the step in work that are done, from 0 to 1; null if that is unknown.
export function share(job) {
  const progress = job.progress;
  if (job.state === "done") return 1;
  if (!progress || !progress.parents) return null;
  const rows = Math.max(0, progress.counts.parents_read - progress.earlier_rows);
  return Math.min(1, rows / progress.parents);
}

export const shareText = (job) => {
  const done = share(job);
  return done === null ? "–" : `${(100 * done).toFixed(1)} %`;
};

// The state and its reason as a sentence.
export function standing(job) {
  const why = job.error ? `: ${job.error}` : "";
  if (job.waits_for === "larger_budget")
    return `needs more than the node has for jobs, and waits until it has more; molsieve set ${job.id} lowers what it needs`;
  switch (job.state) {
    case "queued": return "waits for free resources";
    case "starting": return "is starting";
    case "running": return "is running";
    case "stopping": return job.cancel_asked ? "is being stopped" : "stops at a checkpoint";
    case "done": return job.exit_code === 4 ? "is done; some rows were rejected or capped" : "is done";
    case "failed": return `has failed${why}`;
    case "cancelled": return "was cancelled";
    case "interrupted": return job.waits_for_space
      ? `waits for disk space: ${job.waits_for_space.path} needs ${bytes(job.waits_for_space.needed_bytes)} free`
      : `was interrupted and resumes${why}`;
    default: return `is ${job.state}`;
  }
}
