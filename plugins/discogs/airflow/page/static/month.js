// One month: its timeline, entities, files, checks, changes and rejected records.

import { address, external, link, triggerLink } from "./airflow.js";
import { get, url } from "./api.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { runLinks, waitingFor } from "./months.js";
import { card, ENTITIES, differences, errorText, FEED_KINDS, KINDS, pill, sum, table, tag } from "./parts.js";
import { runningLoad } from "./progress.js";

const PAGE = 25;
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
    month.at_work ? runningLoad(state, month) : null,
    month.waiting ? h("section", { class: "card" }, waitingFor(month.waiting, state.now)) : null,
    month.error ? failure(dag, month) : null,
    timeline(month, state.now),
    entities(month),
    files(month),
    checks(month),
    feed(month, changes, query),
    rejects(month, rejected, query),
  ];
}

function header(dag, month, now) {
  const parts = [
    month.dump_date ? `dump of ${month.dump_date}` : null,
    month.seconds !== null ? `${f.duration(month.seconds)} in total` : null,
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
      h("a", { class: "button", href: url(`months/${month.year_month}/report`), download: `discogs-${month.year_month}.json` }, "Report (JSON)"),
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
      /fewer than|DISCOGS_MAX_SHRINK/.test(month.error) ? triggerLink(dag, month.year_month, "Load it with Allow shrink…", { allow_shrink: true }) : null,
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
  const sharded = new Set(steps.filter((step) => step.shard > 0).map((step) => `${step.step} ${step.entity}`));
  return card(
    "Timeline",
    `${f.time(new Date(start).toISOString())} to ${f.time(new Date(end).toISOString(), new Date(start).toISOString())}`,
    h(
      "ol",
      { class: "timeline" },
      steps.map((step) => {
        const from = new Date(step.started_at);
        const to = new Date(step.ended_at ?? now);
        const name = [step.step, step.entity, sharded.has(`${step.step} ${step.entity}`) ? `shard ${step.shard + 1}` : null].filter(Boolean).join(" ");
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
      h("span", { class: "muted" }, e.state === "staged" ? "staged, not merged" : [e.first_load ? "first load" : "merged", e.loads > 1 ? `loaded ${e.loads} times` : null, e.filtered ? `${f.number(e.filtered)} left out by the filter` : null].filter(Boolean).join(", ")),
    ],
  }));
  const foot = ["All", ...names.map((name) => f.number(sum(shown, name))), f.duration(sum(shown, "stage_seconds")), f.duration(sum(shown, "merge_seconds")), "", ""];
  return card("Entities", null, table("What the load did to each entity", columns, rows, { foot }));
}

function files(month) {
  return card(
    "Files",
    null,
    month.files.length
      ? table(
          "The month's files",
          [["File"], ["Size", "number"], ["State"], ["Attempts", "number"], ["SHA-256, as computed and as published"]],
          month.files.map((file) => ({
            "data-key": file.file_name,
            cells: [file.url ? external(file.url, file.file_name) : file.file_name, f.bytes(file.size), file.state, f.number(file.attempts), digest(file)],
          })),
        )
      : h("p", { class: "muted" }, "The files are not known yet."),
  );
}

/** Both digests; only one if they are equal. */
function digest({ actual_sha256: actual, expected_sha256: expected }) {
  const whole = (text) => h("code", {}, text);
  if (actual === null) return expected ? [whole(expected), h("span", { class: "muted" }, " published, not computed yet")] : h("span", { class: "muted" }, "none published");
  if (expected === null) return [whole(actual), h("span", { class: "muted" }, " computed, none published")];
  if (expected === actual) return [whole(actual), h("span", { class: "up" }, " ✓ as published")];
  return [h("div", {}, whole(actual), h("span", { class: "down" }, " ✗ computed")), h("div", {}, whole(expected), h("span", { class: "muted" }, " published"))];
}

/** The checks; one line for those of the four entities. */
function checks(month) {
  const groups = new Map();
  for (const check of month.checks) {
    const [name, about] = check.name.split(": ");
    groups.set(name, [...(groups.get(name) ?? []), { ...check, about }]);
  }
  const passed = month.checks.filter((check) => check.passed).length;
  return card(
    "Checks",
    month.checks.length ? `${passed} of ${month.checks.length} passed` : null,
    month.checks.length
      ? table(
          "Checks of the tables after the merges",
          [["Check"], ["Result"], ["Counted"]],
          [...groups].map(([name, members]) => ({
            "data-key": name,
            cells: [
              f.words(name),
              members.every((check) => check.passed) ? h("span", { class: "up" }, "✓ passed") : h("span", { class: "down" }, "✗ failed"),
              h("div", { class: "facts" }, members.map((check) => h("span", { class: check.passed ? null : "down", title: check.detail }, check.about ? h("span", { class: "muted" }, `${check.about} `) : null, f.number(check.value), h("small", {}, ` ${check.detail}`)))),
            ],
          })),
        )
      : h("p", { class: "muted" }, "The checks run after the last merge."),
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
    h("div", { class: "filters" }, choice("Entity ", "entity", ["", ...ENTITIES], month, query), choice("Change ", "change", ["", ...FEED_KINDS], month, query)),
    page.changes.length
      ? table(
          "Records that the month changed",
          [["Entity"], ["Change"], ["Id", "number"], ["Title"], ["Differences"], ["History"], ["Discogs"]],
          page.changes.map((change) => ({
            "data-key": `${change.entity}-${change.id}`,
            cells: [
              h("span", {}, h("i", { class: `dot ${change.entity}` }), change.entity),
              tag(change.change),
              String(change.id),
              h("bdi", {}, change.title ?? "–"),
              differences(change),
              h("a", { href: `#/records/${change.entity}/${change.id}` }, "history"),
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
      "Rejected records of the dump",
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
