// Links from the page into Airflow's own pages, and to other sites.
//
// Airflow shows the page in a sandboxed frame, from which a link can neither replace Airflow's
// page nor open a new one. Both documents have the same origin, so a click is passed on to a link in
// Airflow's own document.

import { h } from "./dom.js";

const outer = (() => {
  try {
    return parent !== window && parent.document ? parent : null;
  } catch {
    return null;
  }
})();

const encode = encodeURIComponent;

/** Addresses of Airflow's pages. */
export const address = {
  dag: (dag) => `../dags/${encode(dag)}`,
  runs: (dag) => `../dags/${encode(dag)}/runs`,
  backfills: (dag) => `../dags/${encode(dag)}/backfills`,
  run: (dag, run) => `../dags/${encode(dag)}/runs/${encode(run)}`,
  task: (dag, run, task) => `../dags/${encode(dag)}/runs/${encode(run)}/tasks/${encode(task)}`,
};

function follow(event, script) {
  const { href, target } = event.currentTarget;
  if (outer === null) return; // not in a frame: an ordinary link
  event.preventDefault();
  const newTab = event.ctrlKey || event.metaKey || event.shiftKey || target === "_blank";
  if (script && !newTab) {
    const loader = outer.document.createElement("script");
    Object.assign(loader, { src: new URL(script.src, document.baseURI).href });
    Object.assign(loader.dataset, script.data);
    outer.document.body.append(loader);
  }
  const link = outer.document.createElement("a");
  link.href = href;
  if (newTab) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
  if (!newTab && script) {
    // Without loading Airflow's page again, so that the script is still there when the form is.
    outer.history.pushState(null, "", href);
    outer.dispatchEvent(new PopStateEvent("popstate", { state: null }));
    return;
  }
  outer.document.body.append(link);
  link.click();
  link.remove();
}

/** A link to a page of Airflow. */
export const link = (href, text, attributes = {}) =>
  h("a", { href, onclick: (event) => follow(event), ...attributes }, text);

/** A link to another site, in a new tab. */
export const external = (href, text, attributes = {}) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer", onclick: (event) => follow(event), ...attributes }, text);

/** A link to the DAG's trigger form, with the month (and options) filled in. */
export const triggerLink = (dag, month, text, options = {}, attributes = {}) =>
  h(
    "a",
    {
      href: address.dag(dag),
      title: month ? `Opens the trigger form with ${month} filled in; nothing starts until you confirm it` : "Opens the trigger form",
      onclick: (event) => follow(event, { src: "static/fill_trigger_form.js", data: { month: month ?? "", options: JSON.stringify(options) } }),
      ...attributes,
    },
    text,
  );
