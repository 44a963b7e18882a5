// A typed client of the Busbar management API. The types in schema.d.ts are generated from the OpenAPI
// document (make client).
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

// busbar returns a client of the server at url, "https://busbar.example:8080". Without a token it uses
// the session of the browser.
export function busbar(url: string, token?: string): Client<paths> {
  const headers: Record<string, string> = token === undefined ? { "X-Busbar-CSRF": "1" } : { Authorization: `Bearer ${token}` };
  return createClient<paths>({ baseUrl: `${url}/api/v1`, headers });
}
