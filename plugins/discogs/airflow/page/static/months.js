// The first view: the loaded months, running loads, the charts and the history.

import { address, link, triggerLink } from "./airflow.js";
import { chartCards } from "./charts.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { runningLoad } from "./progress.js";
import { card, ENTITIES, errorText, KINDS, pill, statusOf, sum, table } from "./parts.js";

const capital = (text) => text[0].toUpperCase() + text.slice(1);

const unfolded = new Set(); // months whose entities are shown in the History

export function monthsView(state) {
  const { months, dag_id: dag } = state.list;
  if (months.length === 0) return [header(state), empty(dag)];
  return [header(state), tiles(months), current(state), strip(months), chartCards(months, state.tables), history(state)];
}

function header(state) {
  const { months, dags, dag_id: dag } = state.list;
  const loaded = months.find((month) => month.status === "completed");
  const parts = [];
  if (loaded) parts.push("loaded through ", h("strong", {}, loaded.year_month));
  const after = months.filter((month) => month !== loaded && (!loaded || month.year_month > loaded.year_month));
  for (const month of after.slice(0, 3).reverse()) parts.push(parts.length ? " · " : "", `${month.year_month} is ${statusOf(month)[0]}`);
  if (months.length === 0) parts.push("no month has been started yet");
  return h(
    "header",
    {},
    h("h1", {}, "Discogs catalogue"),
    h("p", { class: "muted" }, parts),
    dags.length > 1 ? chooser(dags, dag) : null,
    h(
      "nav",
      { "aria-label": "Actions" },
      h("a", { href: "#/records", class: "button" }, "Find a record"),
      triggerLink(dag, nextMonth(months), "Load a month…", {}, { class: "button" }),
      link(address.backfills(dag), "Backfill…", { class: "button", title: "Opens the DAG's backfills in Airflow" }),
      link(address.dag(dag), "Open the DAG", { class: "button" }),
    ),
  );
}

/** Each DAG loads into its own database or schema. */
const chooser = (dags, dag) =>
  h(
    "label",
    { class: "muted" },
    "DAG ",
    h("select", { onchange: (event) => location.assign(`?dag_id=${encodeURIComponent(event.target.value)}`) }, dags.map((each) => h("option", { value: each, selected: each === dag }, each))),
  );

/** The newest month that failed or was not started; null leaves the form's default. */
function nextMonth(months) {
  const open = months.find((month) => ["failed", "not_started"].includes(month.status));
  return open ? open.year_month : null;
}

const empty = (dag) =>
  card(
    "Nothing is loaded yet",
    null,
    h("p", {}, "The tables exist and are empty. Unpause the DAG to load each month when Discogs publishes it, or load a month now."),
    h("p", { class: "buttons" }, triggerLink(dag, null, "Load a month…", {}, { class: "button primary" }), link(address.dag(dag), "Open the DAG", { class: "button" })),
  );

function tiles(months) {
  const merged = [...months].reverse();
  return h(
    "section",
    { class: "tiles", "aria-label": "Records" },
    ENTITIES.map((entity) => {
      const points = merged
        .map((month) => ({ month, e: month.entities.find((e) => e.entity === entity && e.state === "merged") }))
        .filter(({ e }) => e && e.records !== null);
      const last = points.at(-1);
      const before = points.at(-2);
      const delta = last && before ? last.e.records - before.e.records : null;
      return h(
        "div",
        { class: "tile" },
        h(
          "div",
          {},
          h("h2", {}, h("i", { class: `dot ${entity}` }), entity),
          h("p", { class: "figure" }, last ? f.number(last.e.records) : "–"),
          delta === null
            ? h("p", { class: "muted" }, last ? `in ${last.month.year_month}` : "not loaded")
            : h("p", { class: "muted" }, h("span", { class: delta < 0 ? "down" : "up" }, f.signed(delta)), ` in ${last.month.year_month}`),
        ),
        sparkline(points.map(({ e }) => e.records), entity),
      );
    }),
  );
}

function sparkline(values, entity) {
  if (values.length < 2) return null;
  const recent = values.slice(-24);
  const [low, high] = [Math.min(...recent), Math.max(...recent)];
  const at = (value, i) => {
    const y = high === low ? 20 : 36 - (32 * (value - low)) / (high - low);
    return `${((110 * i) / (recent.length - 1) + 2).toFixed(1)} ${y.toFixed(1)}`;
  };
  return h(
    "svg",
    { class: `sparkline ${entity}`, viewBox: "0 0 114 40", "aria-hidden": "true" },
    h("path", { d: `M${recent.map(at).join("L")}` }),
  );
}

/** The months that are being loaded, then the newest one if it is waiting or has failed. */
function current(state) {
  const shown = state.list.months.filter((month) => month.at_work);
  const newest = state.list.months[0];
  if (!shown.includes(newest) && newest.status !== "completed") shown.push(newest);
  return shown.map((month) => (month.at_work ? runningLoad(state, month) : attention(state, month)));
}

function attention(state, month) {
  const { dag_id: dag } = state.list;
  const failed = month.status === "failed";
  return h(
    "section",
    { class: failed ? "card alert" : "card", "data-key": month.year_month },
    h(
      "div",
      { class: "line" },
      h("h2", {}, h("a", { href: `#/months/${month.year_month}` }, month.year_month)),
      pill(month),
      h("span", { class: "muted" }, failed ? `${f.time(month.updated_at, state.now)} · failed attempts: ${month.failed_attempts}` : `first run ${f.time(month.created_at, state.now)}`),
      h("span", { class: "links" }, runLinks(dag, month)),
    ),
    month.error ? errorText(month.error) : null,
    month.waiting ? waitingFor(month.waiting, state.now) : null,
  );
}

const REASONS = { not_published: "Not published yet", server_down: "The server does not answer", rate_limited: "The server asks to wait" };

/** Why and since when a run waits for a month, and when the next check is. */
export function waitingFor(waiting, now) {
  const fact = (term, ...texts) => h("div", {}, h("dt", {}, term), h("dd", {}, texts));
  return [
    h("p", { class: "message" }, h("strong", {}, `${REASONS[waiting.reason] ?? f.words(waiting.reason)}. `), waiting.message),
    h(
      "dl",
      { class: "facts" },
      fact("Waiting since", f.time(waiting.since, now), h("small", {}, ` ${f.duration(f.since(waiting.since, now))}`)),
      fact("Next check", f.time(waiting.next_look_at, now), h("small", {}, ` ${f.ahead(waiting.next_look_at, now)}`)),
      fact("Gives up", f.time(waiting.gives_up_at, now), h("small", {}, ` ${f.ahead(waiting.gives_up_at, now)}`)),
    ),
  ];
}

/** Links to the run that last changed a month's status, and to the log of its failed task. */
export function runLinks(dag, month) {
  if (month.waiting?.run.dag_id === dag) return [link(address.run(dag, month.waiting.run.run_id), "Run")];
  if (month.dag_id !== dag) return month.run_id ? [h("span", { class: "muted" }, month.dag_id)] : [];
  const links = [link(address.run(dag, month.run_id), "Run")];
  if (month.status === "failed" && month.failed_task) {
    links.push(link(address.task(dag, month.run_id, month.failed_task), `Log of ${month.failed_task}`));
  }
  return links;
}

function strip(months) {
  const byName = new Map(months.map((month) => [month.year_month, month]));
  const cells = [];
  let name = months[0].year_month;
  const oldest = months.at(-1).year_month;
  while (cells.length < 24 && (name >= oldest || cells.length < 12)) {
    cells.unshift(name);
    name = previous(name);
  }
  return card(
    "Months",
    null,
    h(
      "ol",
      { class: "strip" },
      cells.map((name) => {
        const month = byName.get(name);
        if (!month) return h("li", {}, h("span", { class: "cell none", title: `${name}: not loaded` }, name.slice(2)));
        const [text, tone] = statusOf(month);
        return h("li", {}, h("a", { class: `cell ${tone}`, href: `#/months/${name}`, title: `${name}: ${text}`, "aria-label": `${name}: ${text}` }, name.slice(2)));
      }),
    ),
    h(
      "p",
      { class: "legend muted", "aria-hidden": "true" },
      [["good", "loaded"], ["work", "running"], ["waiting", "waiting"], ["bad", "failed"], ["none", "not loaded"]].map(([tone, text]) =>
        h("span", {}, h("i", { class: `dot ${tone}` }), text),
      ),
    ),
  );
}

function previous(name) {
  const [year, month] = name.split("-").map(Number);
  return month === 1 ? `${year - 1}-12` : `${year}-${String(month - 1).padStart(2, "0")}`;
}

const COLUMNS = [["Month"], ["Status"], ["Dump of"], ["Duration", "number"], ["Records", "number"], ...KINDS.map((kind) => [capital(kind), "number"]), ["Rejected", "number"], ["Failed attempts", "number"], ["Run"]];

function history(state) {
  const { months, dag_id: dag } = state.list;
  return card("History", "newest first", table("Every month", COLUMNS, months.flatMap((month) => [line(dag, month), ...below(month)])));
}

function line(dag, month) {
  const name = month.year_month;
  const open = unfolded.has(name);
  const toggle = () => {
    open ? unfolded.delete(name) : unfolded.add(name);
    document.dispatchEvent(new Event("redraw"));
  };
  return {
    "data-key": name,
    cells: [
      h(
        "span",
        {},
        h("button", { class: "fold", "aria-expanded": String(open), "aria-label": `Entities of ${name}`, disabled: !month.entities.length, onclick: toggle }, open ? "▾" : "▸"),
        h("a", { href: `#/months/${name}` }, name),
      ),
      pill(month),
      h("span", { class: "whole" }, month.dump_date ?? "–"),
      f.duration(month.seconds),
      f.number(sum(month.entities, "records")),
      ...KINDS.map((kind) => counted(month, kind)),
      f.number(sum(month.entities, "rejected")),
      month.failed_attempts ? f.number(month.failed_attempts) : "–",
      h("span", { class: "links" }, runLinks(dag, month)),
    ],
  };
}

/** The lines below a month: its error, and its entities when they are unfolded. */
function below(month) {
  const lines = [];
  if (month.error) lines.push({ class: "below", "data-key": `${month.year_month} error`, span: errorText(month.error) });
  if (!unfolded.has(month.year_month)) return lines;
  for (const name of ENTITIES) {
    const e = month.entities.find((each) => each.entity === name);
    if (!e) continue;
    lines.push({
      class: "below",
      "data-key": `${month.year_month} ${name}`,
      cells: [h("span", {}, h("i", { class: `dot ${name}` }), name), h("span", { class: "muted" }, e.state), "", f.duration(e.seconds), f.number(e.records), ...KINDS.map((kind) => f.number(e[kind])), f.number(e.rejected), "", ""],
    });
  }
  return lines;
}

/** A count; its title has the count of each entity. */
function counted(month, kind) {
  const total = sum(month.entities, kind);
  if (!total) return f.number(total);
  const parts = month.entities.filter((e) => e[kind]).map((e) => `${f.number(e[kind])} ${e.entity}`);
  return h("a", { class: "plain", href: `#/months/${month.year_month}?change=${kind}`, title: parts.join(", ") }, f.number(total));
}
