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
    steps.length ? stepTable(steps, state.now) : null,
  );
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
  if (month.status === "downloading") {
    const files = steps.filter((step) => step.step === "download");
    return files.length && files.every((file) => ["downloaded", "verified"].includes(file.detail)) ? 2 : 1;
  }
  if (month.status === "ready_for_processing") return 3;
  const live = steps.map((step) => STEPS.indexOf(step.step)).filter((i) => i >= 3);
  if (live.length) return Math.max(...live);
  const merged = month.entities.filter((e) => e.state === "merged").length;
  return merged === 4 ? 5 : merged ? 4 : 3;
}

function stepTable(steps, now) {
  return table(
    "What is at work",
    [["Step"], ["State"], ["Progress", "wide"], ["Done", "number"], ["Rate", "number"], ["Left", "number"]],
    steps.map((step) => {
      const name = [step.step, step.entity, step.shards > 1 ? `shard ${step.shard + 1} of ${step.shards}` : null].filter(Boolean).join(" ");
      const done = step.total !== null && step.done >= step.total;
      return {
        "data-key": name,
        cells: [
          name,
          h("span", { class: "muted" }, step.detail ?? ""),
          bar(step.done, step.total, { tone: done ? "good" : "work", label: name }),
          amount(step),
          step.rate ? `${f.bytes(step.rate)}/s` : "",
          step.seconds_left !== null && !done ? f.duration(step.seconds_left) : "",
        ],
      };
    }),
  );
}

function amount(step) {
  if (step.unit === "steps") return step.total ? `step ${step.done} of ${step.total}` : "";
  if (step.total === null) return f.bytes(step.done);
  return step.done >= step.total ? f.bytes(step.total) : `${f.bytes(step.done)} of ${f.bytes(step.total)}`;
}
