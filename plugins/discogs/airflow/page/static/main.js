// Shows the view that the address names after #, and refreshes it.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { monthView, forgetMonth } from "./month.js";
import { monthsView } from "./months.js";
import { problem } from "./parts.js";
import { recordView } from "./record.js";

const content = document.getElementById("content");
const notice = document.getElementById("notice");
const BUSY_SECONDS = 2;
const QUIET_SECONDS = 15;

const state = { list: null, tables: [], progress: null, changedAt: undefined, now: null };
let turn = 0; // number of the latest refresh: answers to earlier ones are dropped
let timer = null;

/** The address: "#/months/2026-04?entity=releases" is {path: ["months", "2026-04"], query}. */
function route() {
  const [path, query] = decodeURI(location.hash.replace(/^#\/?/, "")).split("?");
  return { path: path.split("/").filter(Boolean), query: new URLSearchParams(query ?? "") };
}

const asked = new URLSearchParams(location.search);

async function refresh({ force = false } = {}) {
  clearTimeout(timer);
  const mine = ++turn;
  const { path, query } = route();
  try {
    const progress = await get("progress");
    const changed = force || progress.changed_at !== state.changedAt || state.list === null;
    const [list, tables] = changed ? await Promise.all([get("months", { limit: 240 }), get("tables")]) : [state.list, state.tables];
    if (mine !== turn) return;
    Object.assign(state, { progress, list, tables, now: progress.now, changedAt: progress.changed_at });
    if (changed) forgetMonth();
    const nodes = await view(path, query);
    if (mine !== turn) return;
    show(notice);
    draw(nodes);
  } catch (error) {
    if (mine !== turn) return;
    // Keep showing the data that there is.
    if (state.list !== null && error.status !== 404) show(notice, problem(error));
    else if (state.list === null && error.status === 404) show(content, otherDag(error));
    else {
      show(notice);
      show(content, problem(error, { alone: true }));
    }
  }
  const busy = state.progress?.months.length > 0;
  timer = setTimeout(tick, 1000 * (busy ? BUSY_SECONDS : QUIET_SECONDS));
}

function draw(nodes) {
  show(content, nodes);
  document.dispatchEvent(new Event("shown"));
}

function tick() {
  // A hidden page sends no requests.
  if (document.hidden) timer = setTimeout(tick, 1000);
  else refresh();
}

async function view(path, query) {
  if (path[0] === "months" && path[1]) return monthView(state, path[1], query);
  if (path[0] === "records") return recordView(state, path.slice(1), query);
  const run = asked.get("run_id");
  if (run !== null && path.length === 0) {
    const found = state.list.months.find((month) => month.run_id === run);
    if (found) return monthView(state, found.year_month, query);
    return [
      h("p", { class: "card muted" }, "This run is not the latest run of any month: it had nothing to do, has not started, or another run has taken over its month."),
      monthsView(state),
    ];
  }
  return monthsView(state);
}

/** Airflow shows the tab on every DAG. */
const otherDag = (error) =>
  h(
    "section",
    { class: "card" },
    h("h2", {}, "Nothing to show for this DAG"),
    h("p", {}, error.message),
    h("p", { class: "muted" }, "This tab shows the DAGs that load Discogs' monthly dumps."),
  );

addEventListener("hashchange", () => {
  if (location.hash === "#content") return;
  scrollTo(0, 0);
  refresh({ force: false });
});
// Draw the same data again, without a request.
document.addEventListener("redraw", async () => state.list && draw(await view(...Object.values(route()))));
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
refresh();
