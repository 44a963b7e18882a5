// Wrong uses of the client. Each must be an error of the compiler: if one is not, compiling this file fails.
import { busbar } from "./client";

export async function misuse(): Promise<void> {
  const client = busbar("http://127.0.0.1:8080", "bb_x");
  // @ts-expect-error there is no such path
  await client.GET("/sistem");
  // @ts-expect-error the path is not written with this method
  await client.DELETE("/system");
  // @ts-expect-error there is no such level
  await client.PUT("/system/log-level", { body: { level: "loud" } });
  // @ts-expect-error the member has another name
  await client.PUT("/system/log-level", { body: { levels: "debug" } });
  // @ts-expect-error the body is missing
  await client.PUT("/system/log-level");
  // @ts-expect-error limit is a number
  await client.GET("/audit", { params: { query: { limit: "all" } } });
  const { data } = await client.GET("/system");
  // @ts-expect-error there may be no data, but a problem
  console.log(data.version);
  // @ts-expect-error there is no such member
  console.log(data?.versions);
}
