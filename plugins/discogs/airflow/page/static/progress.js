// A running load: its current step, and the progress of each part.

import { address, link } from "./airflow.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { bar, ENTITIES, pill, table } from "./parts.js";

const STEPS = ["wait", "download", "verify", "stage", "merge", "export", "check"];

export function runningLoad(state, month) {
  const running = state.progress.months.find((m) => m.year_month === month.year_month);
  const steps = running?.steps ?? [];
  const { dag_id: dag } = state.list;
  return h(
    "section",
    { class: "card", "data-key": month.year_month },
    h(
      "div",
      { class: "line" },
      h("h2", {}, h("a", { href: `#/months/${month.year_month}` }, month.year_month)),
      pill(month),
      h(
        "span",
        { class: "muted" },
        [
          month.dump_date ? `dump of ${month.dump_date}` : null,
          month.started_at ? `started ${f.time(month.started_at, state.now)}, ${f.duration(f.since(month.started_at, state.now))} ago` : null,
          month.failed_attempts ? `attempt ${month.failed_attempts + 1}` : null,
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      h("span", { class: "links" }, month.dag_id === dag ? link(address.run(dag, month.run_id), "Run") : h("span", { class: "muted" }, month.dag_id)),
    ),
    stepper(month, steps),
    stepTables(steps),
    silent(running, state.now),
  );
}

/** A notice when the run has sent no heartbeat. */
function silent(running, now) {
  if (!running?.alive_until || new Date(running.alive_until) > new Date(now)) return null;
  return h("p", { class: "down" }, `No heartbeat since ${f.time(running.alive_until, now)}: the next run takes the month over.`);
}

function stepper(month, steps) {
  // Export is shown only for a month that has this step: it is optional.
  const shown = STEPS.filter((name) => name !== "export" || steps.some((step) => step.step === name));
  const now = shown.indexOf(currentStep(month, steps));
  return h(
    "ol",
    { class: "stepper", "aria-label": "Steps" },
    shown.map((step, i) =>
      h("li", { class: i < now ? "done" : i === now ? "now" : "", "aria-current": i === now ? "step" : null }, step[0].toUpperCase() + step.slice(1)),
    ),
  );
}

function currentStep(month, steps) {
  const running = steps.filter((step) => !step.finished_at).map((step) => (step.step === "keys" ? "merge" : step.step));
  if (month.status === "downloading") return running.includes("verify") ? "verify" : "download";
  if (month.status === "ready_for_processing") return "stage";
  const latest = ["export", "merge", "stage"].find((step) => running.includes(step));
  if (latest) return latest;
  const merged = month.entities.filter((e) => e.state === "merged").length;
  return merged === ENTITIES.length ? "check" : merged ? "merge" : "stage";
}

const ORDER = ["export", "merge", "keys", "stage", "verify", "download"];

/** The running steps, and folded below them the completed ones. */
function stepTables(steps) {
  const sorted = [...steps].sort((a, b) => ORDER.indexOf(a.step) - ORDER.indexOf(b.step));
  const [open, done] = [sorted.filter((step) => !step.finished_at), sorted.filter((step) => step.finished_at)];
  if (open.length === 0 && done.length === 0) return null;
  return [
    open.length ? stepTable("Running steps", open) : null,
    done.length ? h("details", { "data-key": "done" }, h("summary", { class: "muted" }, `${done.length} ${done.length === 1 ? "step" : "steps"} done`), stepTable("Completed steps", done)) : null,
  ];
}

function stepTable(caption, steps) {
  return table(
    caption,
    [["Step"], ["Progress", "wide"], ["Done", "number"], ["Records", "number"], ["Rate", "number"], [steps[0].finished_at ? "Took" : "Left", "number"]],
    steps.map((step) => {
      const name = [step.step, step.entity, step.shards > 1 ? `shard ${step.shard + 1} of ${step.shards}` : null].filter(Boolean).join(" ");
      const done = step.finished_at !== null;
      return {
        "data-key": name,
        cells: [
          name,
          h("div", {}, bar(done ? 1 : step.done, done ? 1 : step.total, { tone: done ? "good" : "work", label: name }), step.detail && !done ? h("small", { class: "muted" }, step.detail) : null),
          amount(step),
          step.records === null ? "" : f.number(step.records),
          rate(step),
          done ? h("span", { class: "muted" }, f.duration(f.since(step.started_at, step.finished_at))) : step.seconds_left === null ? "" : f.duration(step.seconds_left),
        ],
      };
    }),
    { class: "steps" },
  );
}

function rate(step) {
  if (step.records_per_second !== null) return `${f.number(Math.round(step.records_per_second))} records/s`;
  return step.rate ? `${f.bytes(step.rate)}/s` : "";
}

function amount(step) {
  if (step.unit === "parts") return step.finished_at ? `${step.total} parts` : `part ${Math.min(step.done + 1, step.total)} of ${step.total}`;
  if (step.total === null || step.finished_at) return f.bytes(step.total ?? step.done);
  return `${f.bytes(step.done)} of ${f.bytes(step.total)}`;
}
