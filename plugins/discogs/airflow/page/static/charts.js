// The charts, drawn by Chart.js. The History table has the same figures as text.

import { h } from "./dom.js";
import * as f from "./format.js";
import { card, ENTITIES, KINDS, sum } from "./parts.js";

const drawn = new Map(); // the container's id: {chart, key}
let entity = ""; // whose changes are shown; "" is all

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The cards; the charts are drawn into them once they are in the document. */
export function chartCards(months, tables) {
  const loaded = months.filter((month) => month.entities.some((e) => e.state === "merged")).slice(0, 36).reverse();
  if (loaded.length === 0) return [];
  const first = loaded[0].year_month;
  document.addEventListener("shown", () => draw(loaded), { once: true });
  const select = h(
    "select",
    { "aria-label": "Entity", onchange: (event) => { entity = event.target.value; draw(loaded); } },
    [["", "all entities"], ...ENTITIES.map((e) => [e, e])].map(([value, text]) => h("option", { value, selected: value === entity }, text)),
  );
  return h(
    "section",
    { class: "charts", "aria-label": "Charts" },
    chart("growth", "Size of each entity", `growth since ${first}`),
    chart("changes", "What each month changed", select),
    chart("durations", "Time by step", "summed over entities"),
    chart("throughput", "Records read", "per second of staging"),
    disk(tables),
  );
}

/** Disk use of the tables now, and of each month's dumps. */
function disk(tables) {
  const total = tables.reduce((all, table) => all + table.bytes, 0);
  const of = (name) => tables.filter((table) => table.entity === name).reduce((all, table) => all + table.bytes, 0);
  const parts = [...ENTITIES.map((name) => [name, of(name)]), ["others", of(null)]].filter(([, size]) => size);
  return card(
    "Disk",
    `tables ${f.bytes(total)} now; compressed dumps by month`,
    h(
      "div",
      { class: "stack", role: "img", "aria-label": parts.map(([name, size]) => `${name} ${f.bytes(size)}`).join(", ") },
      parts.map(([name, size]) => h("i", { class: `dot ${name}`, style: { "flex-grow": size }, title: `${name}: ${f.bytes(size)}` })),
    ),
    h("p", { class: "legend muted", "aria-hidden": "true" }, parts.map(([name, size]) => h("span", {}, h("i", { class: `dot ${name}` }), `${name} ${f.bytes(size)}`))),
    canvas("dumps", "Compressed size of the dumps", "short"),
  );
}

const chart = (id, title, note) => card(title, note, canvas(id, title, ""));

const canvas = (id, title, size) =>
  h("div", { class: `chart ${size}`, "data-keep": true, id: `chart-${id}` }, h("canvas", { role: "img", "aria-label": `${title}; the History table has the figures` }));

function draw(months) {
  const labels = months.map((month) => month.year_month);
  const of = (month, name) => month.entities.find((e) => e.entity === name && e.state === "merged");
  const growth = ENTITIES.map((name) => {
    const records = months.map((month) => of(month, name)?.records ?? null);
    const start = records.find((n) => n);
    return line(name, records.map((n) => (n === null || !start ? null : (100 * n) / start - 100)), css(name), records);
  });
  put("growth", "line", labels, growth, { value: (n) => `${n > 0 ? "+" : ""}${n.toFixed(n && Math.abs(n) < 1 ? 2 : 1)} %`, tip: (item) => `${f.number(item.dataset.actual[item.dataIndex])}  (${item.parsed.y >= 0 ? "+" : ""}${item.parsed.y.toFixed(2)} %)` });
  // Without first loads: their additions are not changes, and would dwarf those of other months.
  const changed = KINDS.map((kind) => column(kind, months.map((month) => sum(month.entities.filter((e) => !e.first_load && (!entity || e.entity === entity)), kind)), css(kind)));
  put("changes", "bar", labels, changed, { value: f.compact, tip: (item) => f.number(item.parsed.y), stacked: true });
  const steps = [
    column("download and verify", months.map((month) => month.download_seconds), css("work")),
    column("stage", months.map((month) => sum(month.entities, "stage_seconds")), css("waiting")),
    column("merge", months.map((month) => sum(month.entities, "merge_seconds")), css("good")),
  ];
  put("durations", "bar", labels, steps, { value: f.duration, tip: (item) => f.duration(item.parsed.y), stacked: true });
  const rates = ENTITIES.map((name) => line(name, months.map((month) => rate(of(month, name))), css(name)));
  put("throughput", "line", labels, rates, { value: (n) => f.compact(n), tip: (item) => `${f.number(Math.round(item.parsed.y))} records/s` });
  put("dumps", "bar", labels, [column("compressed files", months.map((month) => month.file_bytes), css("none-line"))], { value: f.bytesShort, tip: (item) => f.bytes(item.parsed.y) });
}

const rate = (e) => (e && e.records && e.stage_seconds ? e.records / e.stage_seconds : null);

const line = (label, data, colour, actual) => ({ label, data, actual, borderColor: colour, backgroundColor: colour, borderWidth: 2, pointRadius: data.length > 1 ? 0 : 3, pointHoverRadius: 4, cubicInterpolationMode: "monotone", spanGaps: true });

const column = (label, data, colour) => ({ label, data, backgroundColor: colour, maxBarThickness: 18, borderRadius: 1 });

function put(id, type, labels, datasets, { value, tip, stacked = false }) {
  const holder = document.getElementById(`chart-${id}`);
  if (holder === null) return;
  const theme = document.documentElement.dataset.theme;
  const key = JSON.stringify([theme, labels, datasets.map((d) => d.data)]);
  const known = drawn.get(id);
  if (known?.key === key && known.chart.canvas === holder.querySelector("canvas")) return;
  known?.chart.destroy();
  const muted = css("muted");
  const grid = css("line");
  const chart = new Chart(holder.querySelector("canvas"), {
    type,
    data: { labels, datasets },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      font: { family: css("font") },
      plugins: {
        legend: { display: datasets.length > 1, position: "bottom", align: "start", labels: { color: muted, boxWidth: 9, boxHeight: 9, padding: 12, font: { family: css("font"), size: 12 } } },
        tooltip: { callbacks: { label: (item) => ` ${item.dataset.label}: ${item.parsed.y === null ? "–" : tip(item)}` } },
      },
      scales: {
        x: { stacked, grid: { display: false }, border: { color: grid }, ticks: { color: muted, maxRotation: 0, autoSkipPadding: 24, font: { family: css("font"), size: 11 } } },
        y: { stacked, beginAtZero: true, grid: { color: grid }, border: { display: false }, ticks: { color: muted, maxTicksLimit: 5, callback: (n) => value(n), font: { family: css("font"), size: 11 } } },
      },
    },
  });
  drawn.set(id, { chart, key });
}

document.addEventListener("themechange", () => document.dispatchEvent(new Event("redraw")));
