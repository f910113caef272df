// Page of `molsieve ui`: requests, and what several views share: messages, the question before an action.

import { setText } from "./ui_text.js";

const LOST = "molsieve ui does not answer. If you ended it, start it again.";

// An error that the daemon or `molsieve ui` sent. `code` is its fixed word, `field` the part of the request.
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail.message);
    this.status = status;
    this.code = detail.code;
    this.field = detail.field;
    this.detail = detail;
  }
}

// Sends a request and reads the answer as JSON.
export async function ask(method, path, body, headers = {}) {
  if (method !== "GET") headers["x-molsieve"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await send(path, { method, headers, body });
  return answer.status === 204 ? null : answer.json();
}

// Sends a request; an answer that is not a success becomes an error.
export async function send(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "no_ui", message: LOST });
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let detail = { code: "unknown", message: `${answer.status} ${answer.statusText}` };
  try {
    detail = JSON.parse(text).error ?? detail;
  } catch {
    // Not the daemon's JSON; the status must do.
  }
  throw new ApiError(answer.status, detail);
}

const element = (id) => document.getElementById(id);

// Shows what is wrong with the connection, or that it is well again.
export function trouble(error) {
  const box = element("trouble");
  box.hidden = !error;
  setText(box, error ? error.message : "");
}

// Has a screen reader read a sentence.
export function announce(text) {
  setText(element("status"), text);
}

// Asks before an action. The answer is true if the user confirms.
export function confirmed({ title, text, yes, no }) {
  const dialog = element("confirm");
  setText(element("confirm-title"), title);
  setText(element("confirm-text"), text);
  setText(element("confirm-yes"), yes);
  setText(element("confirm-no"), no);
  dialog.returnValue = "";
  element("confirm-yes").onclick = () => dialog.close("yes");
  element("confirm-no").onclick = () => dialog.close("no");
  dialog.showModal();
  element("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
