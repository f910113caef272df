// Page of `molsieve ui`: the form that submits a job. The daemon's OpenAPI document says which settings there are, of
// which type each is and what it means, so that the page has no list of its own.

import { announce, ask, trouble } from "./ui_api.js";
import { bytes, h, setText } from "./ui_text.js";

// What most jobs give, in groups; all other settings are further down.
const GROUPS = [
  ["Files", ["settings.input", "settings.rules", "settings.output"], "Absolute paths on the machine of the daemon. It reads and writes them as you."],
  ["Products", ["settings.properties", "settings.where", "settings.steps"]],
  ["Job", ["name", "settings.memory", "settings.threads", "priority", "mode"]],
];
// Defaults of the daemon that are others than those of a run.
const DEFAULTS = { memory: "half of what the daemon gives to jobs", threads: "half of what the daemon gives to jobs" };

// What is further down in the description, and most users need.
const FURTHER = { rules: "Without rules the library is cleaned." };

let openapi = null;

export function formView(copied) {
  const body = h("div", h("p.muted", "…"));
  const element = h("section", h("div.head", h("h1", { tabindex: "-1" }, "New job")), body);
  const tick = async () => {
    if (body.dataset.ready) return;
    openapi ??= await ask("GET", "/v1/openapi.json");
    const job = copied === null ? null : await ask("GET", `/v1/jobs/${copied}`);
    body.dataset.ready = "yes";
    body.replaceChildren(form(openapi.components.schemas, job));
  };
  return { element, page: "new", title: () => "New job", tick };
}

function form(schemas, job) {
  const resolve = (schema) => (schema.$ref ? { ...schemas[schema.$ref.split("/").at(-1)], description: schema.description } : schema);
  const settings = schemas.JobSettings.properties;
  const required = schemas.JobSettings.required;
  const control = (path) => {
    const name = nameOf(path);
    if (path === name) return field(path, resolve(schemas.Submission.properties[name]), false, (name !== "mode" && job?.[name]) || undefined);
    // A new job writes to a directory of its own.
    const given = name === "output" ? undefined : job?.settings[name];
    return field(path, resolve(settings[name]), required.includes(name), given);
  };
  const groups = GROUPS.map(([name, paths, note]) => ({ name, note, fields: paths.map(control) }));
  const common = GROUPS.flatMap(([, paths]) => paths);
  const others = Object.keys(settings).map((name) => `settings.${name}`).filter((path) => !common.includes(path)).map(control);
  const fields = [...groups.flatMap((group) => group.fields), ...others];

  const more = furtherSettings(others);
  const failure = h("p.failure", { role: "alert", tabindex: "-1", hidden: true });
  const submit = h("button.button.primary", { type: "submit" }, "Submit the job");
  const element = h("form", { novalidate: true, autocomplete: "off" },
    groups.map((group) => h("fieldset.group", h("legend", group.name), group.note ? h("p.help.first", group.note) : null, h("div.fields", group.fields.map((each) => each.element)))),
    more, failure, h("div.tools.end", submit));
  const send = sender();
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    fields.forEach((each) => each.fault(""));
    failure.hidden = true;
    submit.disabled = true;
    try {
      const made = await send(JSON.stringify(request(fields)));
      announce(`Job ${made.id} is submitted.`);
      trouble(null);
      location.hash = `#/job/${made.id}`;
    } catch (error) {
      refuse(error, fields, more, failure);
    } finally {
      submit.disabled = false;
    }
  });
  return element;
}

// Sends a submission. If the answer was lost, the same submission has the same key, so that it makes one job.
function sender() {
  let [last, key] = [null, null];
  return async (body) => {
    if (body !== last) [last, key] = [body, crypto.randomUUID()];
    const job = await ask("POST", "/v1/jobs", body, { "idempotency-key": key });
    last = null;
    return job;
  };
}

// The submission that the fields make; a field without a value is left out.
function request(fields) {
  const body = { settings: {} };
  for (const each of fields) {
    const value = each.value();
    if (value === undefined) continue;
    if (each.path.startsWith("settings.")) body.settings[each.path.slice("settings.".length)] = value;
    else body[each.path] = value;
  }
  return body;
}

// Shows an error at the field that it names, else above the button.
function refuse(error, fields, more, failure) {
  const path = error.field ?? (error.code === "too_large" ? "settings.memory" : "");
  const at = fields.find((each) => path === each.path || path.startsWith(`${each.path}[`) || path.startsWith(`${each.path}.`));
  let message = error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message;
  const item = at && /^\[([0-9]+)\]/.exec(path.slice(at.path.length));
  if (item) message = `Line ${Number(item[1]) + 1}: ${message}`;
  if (error.detail?.needs) {
    const { needs, node } = error.detail;
    message += `: it needs ${bytes(needs.memory_bytes)} and ${needs.threads} threads, the node has ${bytes(node.memory_bytes)} and ${node.threads} threads`;
  }
  if (!at) {
    failure.hidden = false;
    setText(failure, message);
    return failure.focus();
  }
  at.fault(message);
  if (more.contains(at.element)) {
    more.open = true;
    at.element.hidden = false;
  }
  at.focus();
  announce(`${at.label}: ${message}`);
}

// All other settings, found by a word of their name or description.
function furtherSettings(fields) {
  const search = h("input", { type: "search", id: "find-setting", placeholder: "for example smarts" });
  const left = h("span.muted", { role: "status" });
  const element = h("details.group.more", h("summary", `More settings (${fields.length})`),
    h("p.find", h("label", { for: "find-setting" }, "Find a setting "), search, " ", left),
    h("div.fields", fields.map((each) => each.element)));
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = fields.filter((each) => {
      const found = each.value() !== undefined || words.every((word) => each.text.includes(word));
      each.element.hidden = !found;
      return found;
    });
    setText(left, words.length ? `${shown.length} shown` : "");
  });
  // Enter here would submit the form.
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  element.open = fields.some((each) => each.value() !== undefined);
  return element;
}

// ---- fields ----

const nameOf = (path) => path.split(".").at(-1);

// A field for a part of the request: its label, control, help and error.
function field(path, schema, required, given) {
  const name = nameOf(path);
  const id = `f-${name}`;
  const label = name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
  const kind = kindOf(schema);
  const input = kind.make({ id, schema, required, given });
  const [first, ...rest] = (schema.description ?? "").split("\n");
  const brief = helpOf(name, first);
  const help = h("p.help", { id: `${id}-help` }, brief, kind.hint ? ` ${kind.hint}` : "", rest.length ? h("span.rest", ` ${rest.join(" ")}`) : null);
  const error = h("p.fault", { id: `${id}-fault`, hidden: true });
  const named = [label, required ? h("span.required", " required") : null];
  const ids = `${id}-fault ${id}-help`;
  let element;
  if (input.isGroup) {
    element = h("fieldset.field", { id, "aria-describedby": ids }, h("legend", named), input.element, error, help);
  } else {
    input.element.setAttribute("aria-describedby", ids);
    const caption = h("label", { for: id }, named);
    element = h("div.field", kind === TRUTH ? [h("div.check", input.element, caption)] : [caption, input.element], error, help);
  }
  if (name in FURTHER) help.append(` ${FURTHER[name]}`);
  const fault = (message) => {
    setText(error, message);
    error.hidden = message === "";
    input.controls().forEach((each) => (message ? each.setAttribute("aria-invalid", "true") : each.removeAttribute("aria-invalid")));
    element.classList.toggle("faulty", message !== "");
  };
  const text = `${name} ${name.replaceAll("_", " ")} ${schema.description ?? ""}`.toLowerCase();
  return { path, label, text, element, value: input.value, fault, focus: () => input.controls()[0].focus() };
}

// The first sentence of a setting's description, without what only the command line has.
function helpOf(name, text) {
  const sentence = text.replace(/; - [^;]*$/, "");
  const named = name in DEFAULTS ? sentence.replace(/\[default: .*\]$/, `[default: ${DEFAULTS[name]}]`) : sentence;
  return /[.\]]$/.test(named) ? named : `${named}.`;
}

// The kinds of fields, by the schema.
function kindOf(schema) {
  const options = schema.anyOf ?? [schema];
  const types = options.flatMap((option) => option.type ?? []);
  const list = options.find((option) => option.items);
  if (schema.enum) return CHOICE;
  if (list?.items.enum) return SEVERAL;
  if (list && (list.items.type === "object" || list.items.properties || list.items.$ref)) return JSON_TEXT;
  if (list) return types.includes("boolean") ? LINES_OR_ALL : LINES;
  if (types.includes("boolean")) return TRUTH;
  if (types.includes("integer") || types.includes("number")) return types.includes("string") ? SIZE : NUMBER;
  return TEXT;
}

const single = (element, value) => ({ element, value, controls: () => [element] });
const NUMERIC = /^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
// What is no number goes to the daemon as it is, and its error comes back to the field.
const asNumber = (text) => (NUMERIC.test(text) ? Number(text) : text);
const typed = (read) => ({ id, schema, required, given }) => {
  const example = [schema.examples?.[0]].flat()[0];
  const element = h("input", { id, type: "text", spellcheck: "false", required, placeholder: example, value: given });
  return single(element, () => {
    const text = element.value.trim();
    return text === "" ? undefined : read(text);
  });
};
const written = (read, show, rows) => ({ id, schema, required, given }) => {
  const example = schema.examples?.[0];
  const placeholder = Array.isArray(example) && example.every((item) => typeof item === "string") ? example.join("\n") : undefined;
  const element = h("textarea", { id, rows, spellcheck: "false", required, placeholder });
  element.value = given === undefined || given === null ? "" : show(given);
  return single(element, () => {
    const text = element.value.trim();
    return text === "" ? undefined : read(text);
  });
};
// A size as a person writes it, if that is exact.
const sizeText = (size) => (typeof size === "number" && /^[0-9]{1,3} /.test(bytes(size)) ? bytes(size) : size);
const toLines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const fromLines = (value) => (Array.isArray(value) ? value.join("\n") : String(value));

const TEXT = { make: typed((text) => text) };
const NUMBER = { make: typed(asNumber) };
const SIZE = { hint: "Such as 512MiB.", make: (given) => typed((text) => (/^[0-9]+$/.test(text) ? Number(text) : text))({ ...given, given: sizeText(given.given) }) };
const LINES = { hint: "One on each line.", make: written(toLines, fromLines, 2) };
const LINES_OR_ALL = { hint: "One on each line, or true for all.",
  make: written((text) => (text === "true" ? true : toLines(text)), fromLines, 2) };
const JSON_TEXT = { hint: "As JSON.", make: written((text) => {
  try {
    return JSON.parse(text);
  } catch {
    // The daemon says what is wrong with it, at this field.
    return text;
  }
}, (value) => JSON.stringify(value), 3) };
const TRUTH = { make: ({ id, given }) => {
  const element = h("input", { id, type: "checkbox", checked: given === true });
  return single(element, () => (element.checked ? true : undefined));
} };
const CHOICE = { make: ({ id, schema, given }) => {
  const words = schema.enum.filter((word) => word !== null);
  // Without null among its values, the first one is the default.
  const unset = schema.enum.includes(null) ? h("option", { value: "" }, "default") : null;
  const element = h("select", { id }, unset, words.map((word) => h("option", { value: word, selected: word === given }, word)));
  return single(element, () => (unset === null && element.value === words[0] ? undefined : element.value || undefined));
} };
const SEVERAL = { make: ({ id, schema, given }) => {
  const words = (schema.anyOf ?? [schema]).find((option) => option.items).items.enum;
  const isOn = (word) => given === true || (Array.isArray(given) && given.includes(word));
  const boxes = words.map((word) => h("input", { type: "checkbox", id: `${id}-${word}`, value: word, checked: isOn(word) }));
  const element = h("div.words", boxes.map((box) => h("label.check", { for: box.id }, box, box.value)));
  return { element, isGroup: true, controls: () => boxes, value: () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    return chosen.length ? chosen : undefined;
  } };
} };
