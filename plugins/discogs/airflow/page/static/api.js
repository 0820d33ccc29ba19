// The JSON API, by addresses relative to the page: it works below any path.

export class ApiError extends Error {
  constructor(status, detail, reason) {
    super(detail);
    this.status = status;
    this.reason = reason;
  }
}

export async function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, v]) => v !== null && v !== undefined && v !== "");
  const query = new URLSearchParams(given).toString();
  let response;
  try {
    response = await fetch(`api/${path}${query ? `?${query}` : ""}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError(0, "Airflow's API server does not answer. The page tries again by itself.", "offline");
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : `The API answered ${response.status}.`;
  throw new ApiError(response.status, detail, body.reason);
}
