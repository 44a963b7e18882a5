// An example that is compiled with the client: it reads the whole audit log of one operation.
import { busbar, type Problem, type Schemas } from "./client";

export async function changesOf(url: string, token: string, action: string): Promise<Schemas["AuditEntry"][]> {
  const client = busbar(url, token);
  const entries: Schemas["AuditEntry"][] = [];
  for (let cursor: string | undefined; ; ) {
    const { data, error } = await client.GET("/audit", {
      params: { query: { action, limit: 1000, ...(cursor === undefined ? {} : { cursor }) } },
    });
    if (error !== undefined) {
      throw new Error(messageOf(error));
    }
    entries.push(...data.items);
    if (data.next === undefined) {
      return entries;
    }
    cursor = data.next;
  }
}

export async function logMore(url: string, token: string): Promise<string> {
  const { data, error } = await busbar(url, token).PUT("/system/log-level", { body: { level: "debug" } });
  if (error !== undefined) {
    throw new Error(messageOf(error));
  }
  return data.level;
}

function messageOf(p: Problem): string {
  const faults = (p.errors ?? []).map((f) => `${f.location ?? ""}: ${f.message}`);
  return [`${p.code}: ${p.detail ?? p.title}`, ...faults].join("\n");
}
