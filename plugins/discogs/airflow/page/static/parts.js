// Pieces that several views share.

import { h } from "./dom.js";
import * as f from "./format.js";

export const ENTITIES = ["releases", "masters", "artists", "labels"];
export const KINDS = ["added", "changed", "removed", "restored"];
/** Kinds in the change feed: also records that the load rejected or filtered. */
export const FEED_KINDS = [...KINDS, "rejected", "filtered"];

// A status in the tables: its label and colour.
const STATUS = {
  not_started: ["not started", "idle"],
  waiting: ["waiting", "waiting"],
  downloading: ["downloading", "work"],
  ready_for_processing: ["ready", "work"],
  processing: ["processing", "work"],
  completed: ["loaded", "good"],
  failed: ["failed", "bad"],
};

/** Label and colour of a month's status. */
export const statusOf = (month) => STATUS[month.waiting ? "waiting" : month.status] ?? [month.status, "idle"];

export function pill(month) {
  const [text, tone] = statusOf(month);
  return h("span", { class: `pill ${tone}` }, text);
}

export const tag = (kind) => h("span", { class: `tag ${kind}` }, kind.replaceAll("_", " "));

export function bar(part, total, { tone = "work", label } = {}) {
  const known = total !== null && total !== undefined && total > 0;
  const text = known ? f.percent(part, total) : "size not known";
  return h(
    "div",
    {
      class: `bar ${tone}${known ? "" : " unknown"}`,
      role: "progressbar",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": known ? Math.round(100 * f.share(part, total)) : null,
      "aria-valuetext": text,
      "aria-label": label,
    },
    h("div", { style: { width: known ? `${(100 * f.share(part, total)).toFixed(2)}%` : "100%" } }),
  );
}

/** A table: columns are [text, "number"?]; rows are cells, or {cells or span, attributes}. */
export function table(caption, columns, rows, { foot, ...attributes } = {}) {
  const kind = (i) => (columns[i]?.[1] ? { class: columns[i][1] } : {});
  const row = (r, cell) => {
    const { cells, span, ...rest } = Array.isArray(r) ? { cells: r } : r;
    if (span !== undefined) return h("tr", rest, h(cell, { colspan: columns.length }, span));
    return h("tr", rest, cells.map((value, i) => h(cell, { ...kind(i), "data-label": columns[i]?.[0] }, value)));
  };
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      attributes,
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([text], i) => h("th", { scope: "col", ...kind(i) }, text)))),
      h("tbody", {}, rows.map((r) => row(r, "td"))),
      foot ? h("tfoot", {}, row(foot, "td")) : null,
    ),
  );
}

export const card = (title, note, ...children) =>
  h(
    "section",
    { class: "card" },
    title ? h("h2", {}, title, note ? h("small", {}, " ", note) : null) : null,
    ...children,
  );

// Title and advice of an error, by the API's reason.
const PROBLEMS = {
  unreachable: ["The database does not answer", "Check that PostgreSQL is running and that the connection is right. The page retries automatically."],
  not_migrated: ["There are no tables yet", "Trigger the DAG once, or run python -m discogs migrate. The page then shows the months."],
  no_connection: ["The connection is not defined", "Create it in Airflow (Admin, Connections), or in the environment of the API server."],
  too_slow: ["The query took too long", "It was cancelled so that it does not slow a load down. Ask for less, or try again later."],
  refused: ["The database refused the query", "The message says why. The role of the connection needs USAGE on the schema and SELECT on its tables."],
  offline: ["Airflow does not answer", "What is shown may be out of date."],
};

/** Why there is nothing to show. */
export function problem(error, { alone = false } = {}) {
  let [title, advice] = PROBLEMS[error.reason] ?? ["This cannot be shown", ""];
  if (error.status === 401) [title, advice] = ["You are no longer logged in", "Log in to Airflow and open the page again."];
  if (error.status === 403) [title, advice] = ["You have no access to this DAG", "Ask an administrator of this Airflow for the right to read it."];
  if (error.status === 404) [title, advice] = ["Not found", ""];
  return h(
    "section",
    { class: "card alert" },
    h(alone ? "h1" : "h2", {}, title),
    h("p", { class: "message" }, error.message),
    advice ? h("p", { class: "muted" }, advice) : null,
    alone ? h("p", {}, h("a", { href: "#/" }, "All months")) : null,
  );
}

/** The first sentence of an error, with the rest folded. */
export function errorText(text) {
  const end = text.search(/[.!?]\s|\n/);
  if (end < 0 || end + 1 >= text.trim().length || text.length < 160) return h("p", { class: "message" }, text);
  return h("details", { class: "message" }, h("summary", {}, text.slice(0, end + 1)), h("p", {}, text.slice(end + 1).trim()));
}

/** Tables and columns that differ in a changed record, and the old values where they are kept. */
export function differences({ tables, columns, old_values: old }) {
  if (!tables?.length && !columns?.length) return null;
  const named = new Set((columns ?? []).map((column) => column.split(".")[0]));
  const text = [...(columns ?? []), ...(tables ?? []).filter((name) => !named.has(name))].map((name) => f.words(name)).join(", ");
  return old ? h("details", {}, h("summary", { class: "muted" }, text), h("pre", {}, JSON.stringify(old, null, 2))) : h("span", { class: "muted" }, text);
}

export const sum = (items, name) => {
  const known = items.map((item) => item[name]).filter((n) => n !== null && n !== undefined);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
};
