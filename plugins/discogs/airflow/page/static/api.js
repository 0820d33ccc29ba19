// The JSON API. Its addresses are relative to the page, so that it works below any path.

export class ApiError extends Error {
  constructor(status, detail, reason) {
    super(detail);
    this.status = status;
    this.reason = reason;
  }
}

// Airflow's tab of a DAG passes dag_id; the page in the menu does so after a DAG was chosen.
const page = new URLSearchParams(location.search);

/** The DAG whose database is shown; null for the default DAG. */
export const chosenDag = () => page.get("dag_id");

/** The address of a request to the API. */
export function url(path, parameters = {}) {
  const given = Object.entries({ ...parameters, dag_id: chosenDag() }).filter(([, v]) => v !== null && v !== undefined && v !== "");
  const query = new URLSearchParams(given).toString();
  return `api/${path}${query ? `?${query}` : ""}`;
}

export async function get(path, parameters) {
  let response;
  try {
    response = await fetch(url(path, parameters), { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError(0, "Airflow's API server does not answer. The page retries automatically.", "offline");
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : `The API answered ${response.status}.`;
  throw new ApiError(response.status, detail, body.reason);
}
