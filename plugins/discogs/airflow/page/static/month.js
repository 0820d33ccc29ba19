// One month: what happened when, its files and checks, what it changed and what it rejected.

import { address, external, link, triggerLink } from "./airflow.js";
import { get } from "./api.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { runLinks } from "./months.js";
import { card, ENTITIES, errorText, KINDS, pill, sum, table, tag } from "./parts.js";
import { atWork } from "./progress.js";

const PAGE = 50;
const cache = new Map(); // answers, until a month's row changes

export const forgetMonth = () => cache.clear();

async function cached(path, parameters) {
  const key = JSON.stringify([path, parameters]);
  if (!cache.has(key)) cache.set(key, await get(path, parameters));
  return cache.get(key);
}

export async function monthView(state, name, query) {
  const base = `months/${encodeURIComponent(name)}`;
  const entity = query.get("entity") ?? "";
  const change = query.get("change") ?? "";
  const [month, changes, rejected] = await Promise.all([
    cached(base),
    cached(`${base}/changes`, { entity, change, after: query.get("after"), limit: PAGE }),
    cached(`${base}/rejected`, { after: query.get("rejected"), limit: 10 }),
  ]);
  const { dag_id: dag } = state.list;
  return [
    header(dag, month, state.now),
    month.at_work ? atWork(state, month) : null,
    month.error ? failure(dag, month) : null,
    timeline(month, state.now),
    entities(month),
    h("div", { class: "pair" }, files(month), checks(month)),
    feed(month, changes, query),
    rejects(month, rejected, query),
  ];
}

function header(dag, month, now) {
  const parts = [
    month.dump_date ? `dump of ${month.dump_date}` : null,
    month.seconds !== null ? `${f.duration(month.seconds)} in all` : null,
    month.failed_attempts ? `failed attempts: ${month.failed_attempts}` : null,
    f.time(month.processing_completed_at ?? month.updated_at, now),
  ];
  const force = month.status === "completed" ? { force: true } : {};
  return h(
    "header",
    {},
    h("a", { href: "#/", class: "back" }, "← Months"),
    h("h1", {}, month.year_month),
    pill(month),
    h("p", { class: "muted" }, parts.filter(Boolean).join(" · ")),
    h(
      "nav",
      { "aria-label": "Actions" },
      month.dag_id === dag ? link(address.run(dag, month.run_id), month.status === "failed" ? "Clear the failed tasks…" : "Open the run", { class: "button", title: "Opens the run in Airflow" }) : null,
      triggerLink(dag, month.year_month, month.status === "completed" ? "Load it again…" : "Load it…", force, { class: "button" }),
      h("a", { class: "button", href: `api/months/${month.year_month}/report`, download: `discogs-${month.year_month}.json` }, "Report (JSON)"),
    ),
  );
}

function failure(dag, month) {
  const rejected = Object.values(month.rejected).reduce((a, b) => a + b, 0);
  return h(
    "section",
    { class: "card alert", "aria-label": "Error" },
    errorText(month.error),
    h(
      "p",
      { class: "links" },
      runLinks(dag, month),
      /fewer than|DISCOGS_MAX_SHRINK/.test(month.error) ? triggerLink(dag, month.year_month, "Load it, allow the loss…", { allow_shrink: true }) : null,
      rejected ? h("a", { href: "#rejected", onclick: jump }, `Rejected records (${f.number(rejected)})`) : null,
    ),
  );
}

function jump(event) {
  event.preventDefault();
  const heading = document.getElementById("rejected");
  heading?.scrollIntoView({ behavior: "smooth" });
  heading?.focus();
}

function timeline(month, now) {
  const steps = month.steps;
  if (steps.length === 0) return null;
  const start = Math.min(...steps.map((step) => new Date(step.started_at)));
  const end = Math.max(...steps.map((step) => new Date(step.ended_at ?? now)));
  const span = Math.max(1, end - start);
  return card(
    "Timeline",
    `${f.time(new Date(start).toISOString())} to ${f.time(new Date(end).toISOString(), new Date(start).toISOString())}`,
    h(
      "ol",
      { class: "timeline" },
      steps.map((step) => {
        const from = new Date(step.started_at);
        const to = new Date(step.ended_at ?? now);
        const name = [step.step, step.entity, step.shard === null ? null : `shard ${step.shard + 1}`].filter(Boolean).join(" ");
        const took = `${f.duration((to - from) / 1000)}${step.ended_at ? "" : " so far"}`;
        const left = (100 * (from - start)) / span;
        const width = Math.max(0.4, (100 * (to - from)) / span);
        return h(
          "li",
          { "data-key": name },
          h("span", { class: "name" }, name),
          h(
            "span",
            { class: "track" },
            h("i", { class: step.step, style: { left: `${left.toFixed(2)}%`, width: `${width.toFixed(2)}%` }, title: `${name}: ${f.time(step.started_at)}, ${took}` }),
          ),
          h("span", { class: "took" }, took),
        );
      }),
    ),
  );
}

function entities(month) {
  if (month.entities.length === 0) return null;
  const columns = [["Entity"], ["Records", "number"], ["Unchanged", "number"], ...KINDS.map((kind) => [kind[0].toUpperCase() + kind.slice(1), "number"]), ["Rejected", "number"], ["Stage", "number"], ["Merge", "number"], ["Records/s", "number"], ["State"]];
  const names = ["records", "unchanged", ...KINDS, "rejected"];
  const shown = ENTITIES.map((name) => month.entities.find((e) => e.entity === name)).filter(Boolean);
  const rows = shown.map((e) => ({
    "data-key": e.entity,
    cells: [
      h("span", {}, h("i", { class: `dot ${e.entity}` }), e.entity),
      ...names.map((name) => f.number(e[name])),
      f.duration(e.stage_seconds),
      f.duration(e.merge_seconds),
      e.records && e.seconds ? f.number(Math.round(e.records / e.seconds)) : "–",
      h("span", { class: "muted" }, e.state === "staged" ? "staged, not merged" : [e.first_load ? "first load" : "merged", e.loads > 1 ? `loaded ${e.loads} times` : null].filter(Boolean).join(", ")),
    ],
  }));
  const foot = ["All", ...names.map((name) => f.number(sum(shown, name))), f.duration(sum(shown, "stage_seconds")), f.duration(sum(shown, "merge_seconds")), "", ""];
  return card("Entities", null, table("What the month brought to each entity", columns, rows, { foot }));
}

function files(month) {
  return card(
    "Files",
    null,
    month.files.length
      ? table(
          "The month's files",
          [["File"], ["Size", "number"], ["State"], ["SHA-256"], ["Attempts", "number"]],
          month.files.map((file) => ({ "data-key": file.file_name, cells: [file.file_name, f.bytes(file.size), file.state, digest(file), f.number(file.attempts)] })),
        )
      : h("p", { class: "muted" }, "No file was listed yet."),
  );
}

function digest(file) {
  const short = (text) => h("code", { title: text }, `${text.slice(0, 10)}…`);
  if (file.actual_sha256 === null) return h("span", { class: "muted" }, file.expected_sha256 ? [short(file.expected_sha256), " published, not computed yet"] : "not published");
  if (file.expected_sha256 === null) return [short(file.actual_sha256), h("span", { class: "muted" }, " none published")];
  if (file.expected_sha256 === file.actual_sha256) return [short(file.actual_sha256), h("span", { class: "up" }, " as published")];
  return [short(file.actual_sha256), h("span", { class: "down" }, " but published is "), short(file.expected_sha256)];
}

function checks(month) {
  return card(
    "Checks",
    month.checks.length ? `${month.checks.filter((check) => check.passed).length} of ${month.checks.length} passed` : null,
    month.checks.length
      ? table(
          "Checks of the tables after the merges",
          [["Check"], ["Result"], ["Counted", "number"], ["What"]],
          month.checks.map((check) => ({
            "data-key": check.name,
            cells: [f.words(check.name), h("span", { class: check.passed ? "up" : "down" }, check.passed ? "passed" : "failed"), f.number(check.value), h("span", { class: "muted" }, check.detail)],
          })),
        )
      : h("p", { class: "muted" }, "They run after the last merge."),
  );
}

/** The address of this view with some of the query changed. */
function to(month, query, changes) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
  const text = next.toString();
  return `#/months/${month.year_month}${text ? `?${text}` : ""}`;
}

const go = (address) => (location.hash = address.slice(1));

function choice(label, name, values, month, query) {
  return h(
    "label",
    {},
    label,
    h(
      "select",
      { onchange: (event) => go(to(month, query, { [name]: event.target.value, after: "" })) },
      values.map((value) => h("option", { value, selected: (query.get(name) ?? "") === value }, value || "all")),
    ),
  );
}

function feed(month, page, query) {
  const total = KINDS.map((kind) => sum(month.entities.filter((e) => !e.first_load), kind) ?? 0).reduce((a, b) => a + b, 0);
  const first = month.entities.some((e) => e.first_load);
  return card(
    "Changes",
    first ? "a first load writes no changes" : total ? `${f.number(total)} records` : null,
    h("div", { class: "filters" }, choice("Entity ", "entity", ["", ...ENTITIES], month, query), choice("Change ", "change", ["", ...KINDS], month, query)),
    page.changes.length
      ? table(
          "Records that the month changed",
          [["Entity"], ["Change"], ["Id", "number"], ["Title"], ["Story"], ["Discogs"]],
          page.changes.map((change) => ({
            "data-key": `${change.entity}-${change.id}`,
            cells: [
              h("span", {}, h("i", { class: `dot ${change.entity}` }), change.entity),
              tag(change.change),
              String(change.id),
              h("bdi", {}, change.title ?? "–"),
              h("a", { href: `#/records/${change.entity}/${change.id}` }, "story"),
              external(change.url, "discogs.com ↗"),
            ],
          })),
        )
      : h("p", { class: "muted" }, query.get("entity") || query.get("change") ? "No change of this kind." : "No changes."),
    pager(month, query, "after", page.next),
  );
}

function pager(month, query, name, next) {
  const here = query.get(name);
  if (!here && !next) return null;
  return h(
    "p",
    { class: "buttons" },
    here ? h("a", { class: "button", href: to(month, query, { [name]: "" }) }, "First page") : null,
    next ? h("a", { class: "button", href: to(month, query, { [name]: next }) }, "Next page") : null,
  );
}

function rejects(month, page, query) {
  const counts = Object.entries(month.rejected).filter(([, n]) => n);
  if (counts.length === 0) return null;
  return h(
    "section",
    { class: "card" },
    h("h2", { id: "rejected", tabindex: "-1" }, "Rejected records", h("small", {}, " ", counts.map(([entity, n]) => `${f.number(n)} of ${entity}`).join(", "))),
    table(
      "Records of the dump that became no row",
      [["Entity"], ["Id", "number"], ["Reason"], ["Byte offset", "number"], ["XML", "wide"]],
      page.records.map((record) => ({
        "data-key": record.id,
        cells: [
          h("span", {}, h("i", { class: `dot ${record.entity}` }), record.entity),
          record.record_id === null ? "–" : h("a", { href: `#/records/${record.entity}/${record.record_id}` }, String(record.record_id)),
          record.reason,
          f.number(record.byte_offset),
          h("details", {}, h("summary", {}, `${f.number(record.xml.length)} characters`), h("pre", {}, record.xml)),
        ],
      })),
    ),
    pager(month, query, "rejected", page.next),
  );
}
