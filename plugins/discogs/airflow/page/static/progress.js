// A month that is at work: which step it is in, and how far each part of it is.

import { address, link } from "./airflow.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { bar, pill, table } from "./parts.js";

const STEPS = ["wait", "download", "verify", "stage", "merge", "check"];

export function atWork(state, month) {
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
    stepsAtWork(steps),
    silent(running, state.now),
  );
}

/** A notice about a run that may be gone. */
function silent(running, now) {
  if (!running?.alive_until || new Date(running.alive_until) > new Date(now)) return null;
  return h("p", { class: "down" }, `No heartbeat since ${f.time(running.alive_until, now)}: the next run of the month takes it over.`);
}

function stepper(month, steps) {
  const now = currentStep(month, steps);
  return h(
    "ol",
    { class: "stepper", "aria-label": "Steps" },
    STEPS.map((step, i) =>
      h("li", { class: i < now ? "done" : i === now ? "now" : "", "aria-current": i === now ? "step" : null }, step[0].toUpperCase() + step.slice(1)),
    ),
  );
}

function currentStep(month, steps) {
  if (month.status === "downloading") return steps.some((step) => step.step === "verify" && !step.finished_at) ? 2 : 1;
  if (month.status === "ready_for_processing") return 3;
  const live = steps.filter((step) => !step.finished_at).map((step) => STEPS.indexOf(step.step === "keys" ? "merge" : step.step));
  if (live.some((i) => i >= 3)) return Math.max(...live);
  const merged = month.entities.filter((e) => e.state === "merged").length;
  return merged === 4 ? 5 : merged ? 4 : 3;
}

const ORDER = ["merge", "keys", "stage", "verify", "download"];

/** What is at work, and folded below it what is done. */
function stepsAtWork(steps) {
  const sorted = [...steps].sort((a, b) => ORDER.indexOf(a.step) - ORDER.indexOf(b.step));
  const [open, done] = [sorted.filter((step) => !step.finished_at), sorted.filter((step) => step.finished_at)];
  if (open.length === 0 && done.length === 0) return null;
  return [
    open.length ? stepTable("What is at work", open) : null,
    done.length ? h("details", { "data-key": "done" }, h("summary", { class: "muted" }, `${done.length} ${done.length === 1 ? "step" : "steps"} done`), stepTable("What is done", done)) : null,
  ];
}

function stepTable(caption, steps) {
  return table(
    caption,
    [["Step"], ["Progress", "wide"], ["Done", "number"], ["Records", "number"], ["Rate", "number"], [caption === "What is done" ? "Took" : "Left", "number"]],
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
