// A record's history; records are found by id or by the beginning of the title.

import { external } from "./airflow.js";
import { ApiError, get } from "./api.js";
import { h } from "./dom.js";
import * as f from "./format.js";
import { card, differences, ENTITIES, table, tag } from "./parts.js";

export async function recordView(state, [entity, id], query) {
  const title = query.get("title");
  const chosen = ENTITIES.includes(entity) ? entity : "releases";
  const parts = [header(chosen, id ?? title ?? "")];
  try {
    if (id) parts.push(history(await get(`records/${encodeURIComponent(entity)}/${encodeURIComponent(id)}`)));
    else if (title) parts.push(found(chosen, title, await get("records", { entity: chosen, title })));
    else parts.push(h("p", { class: "muted" }, "The id is the number in a record's address on Discogs' site, such as discogs.com/release/249504."));
  } catch (error) {
    if (!(error instanceof ApiError) || ![404, 422].includes(error.status)) throw error;
    parts.push(h("p", { class: "card muted" }, error.status === 404 ? error.message : "An id is a number up to 2,147,483,647; a title has at least two characters."));
  }
  return parts;
}

function header(entity, text) {
  const submit = (event) => {
    event.preventDefault();
    const form = event.target;
    const [where, what] = [form.elements.entity.value, form.elements.what.value.trim()];
    if (what) location.hash = /^[0-9]+$/.test(what) ? `/records/${where}/${what}` : `/records/${where}?title=${encodeURIComponent(what)}`;
  };
  return h(
    "header",
    {},
    h("a", { href: "#/", class: "back" }, "← Months"),
    h("h1", {}, "Find a record"),
    h(
      "form",
      { class: "find", role: "search", onsubmit: submit },
      h("select", { name: "entity", "aria-label": "Entity" }, ENTITIES.map((e) => h("option", { value: e, selected: e === entity }, e))),
      h("input", { name: "what", type: "search", value: text, placeholder: "Id, or the beginning of the title", "aria-label": "Id or title", autocomplete: "off" }),
      h("button", { type: "submit", class: "button primary" }, "Find"),
    ),
  );
}

const STATES = { live: ["live", "good"], removed: ["removed", "bad"], placeholder: ["placeholder", "idle"] };

const stateOf = (state) => h("span", { class: `pill ${STATES[state][1]}` }, STATES[state][0]);

function found(entity, title, records) {
  if (records.length === 0) return h("p", { class: "card muted" }, `No ${entity} begin with “${title}”.`);
  return card(
    "Found",
    `${entity} that begin with “${title}”, in alphabetical order`,
    table(
      "Records found",
      [["Id", "number"], ["Title"], ["State"]],
      records.map((r) => ({ "data-key": r.id, cells: [String(r.id), h("a", { href: `#/records/${r.entity}/${r.id}` }, h("bdi", {}, r.title ?? "–")), stateOf(r.state)] })),
    ),
  );
}

const WORDS = {
  first_load: "loaded with the first month",
  added: "new in the dump",
  changed: "changed",
  removed: "no longer in the dump",
  restored: "in the dump again",
  rejected: "could not be read; its row was not changed",
  filtered: "left out by the filter from this month on",
};

function history(record) {
  const facts = [
    record.dump_month ? `row as of ${record.dump_month}` : null,
    record.removed_in ? `removed in ${record.removed_in}, last seen in ${record.last_seen}` : null,
    record.state === "placeholder" ? "other records refer to this id, and no loaded dump has it" : null,
  ];
  return [
    h(
      "section",
      { class: "card" },
      h("div", { class: "line" }, h("h2", { class: "title" }, h("bdi", {}, record.title ?? `${record.entity} ${record.id}`)), stateOf(record.state), h("span", { class: "muted" }, facts.filter(Boolean).join(" · ")), h("span", { class: "links" }, external(record.url, "discogs.com ↗"))),
      record.events.length
        ? h(
            "ol",
            { class: "history" },
            record.events.map((event) =>
              h("li", { class: event.kind }, h("a", { href: `#/months/${event.year_month}` }, event.year_month), tag(event.kind), h("span", { class: "muted" }, WORDS[event.kind], event.columns?.length || event.tables?.length ? ": " : null), differences(event)),
            ),
          )
        : h("p", { class: "muted" }, "No loaded month has changed it."),
    ),
    record.rows.map(rows),
  ];
}

/** The rows in one table; a single row is a list of its values. */
function rows({ table: name, count, rows: shown }) {
  if (shown.length === 0) return null;
  const note = count > shown.length ? `the first ${shown.length} of ${f.number(count)} rows` : count > 1 ? `${count} rows` : null;
  const columns = Object.keys(shown[0]).filter((column) => shown.some((row) => row[column] !== null));
  if (shown.length === 1) {
    return card(f.words(name), note, h("dl", {}, columns.map((column) => [h("dt", {}, f.words(column)), h("dd", {}, value(shown[0][column]))])));
  }
  return card(f.words(name), note, table(f.words(name), columns.map((column) => [f.words(column)]), shown.map((row) => columns.map((column) => value(row[column])))));
}

const value = (v) => (v === null ? "–" : h("bdi", {}, typeof v === "object" ? JSON.stringify(v) : String(v)));
