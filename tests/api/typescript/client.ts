// A client with the types of the OpenAPI document: submits a job and follows it until it has ended.
//
// usage: node client.js SOCKET SETTINGS        (SETTINGS is the JSON of the job's settings)

import createClient from "openapi-fetch";
import { Agent, fetch as fetchBy } from "undici";

import type { components, paths } from "./molsieve.js";

type Job = components["schemas"]["Job"];
type Progress = components["schemas"]["Progress"];

const [socketPath, settings] = process.argv.slice(2);
if (!socketPath || !settings) throw new Error("usage: client.js SOCKET SETTINGS");

const dispatcher = new Agent({ connect: { socketPath } });
// The fetch of Node has no way to a Unix socket but this one.
const overSocket = async (request: Request): Promise<Response> => {
  const body = request.body ? await request.text() : undefined;
  const answer = await fetchBy(request.url, { method: request.method, headers: [...request.headers], body, dispatcher });
  return answer as unknown as Response;
};
const client = createClient<paths>({ baseUrl: "http://molsieve", fetch: overSocket });

function check(told: unknown, what: string): asserts told {
  if (!told) throw new Error(what);
}

// The events of a stream: `event:`, `id:` and `data:` lines, and a blank one.
async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<{ event: string; data: string }> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(piece, { stream: true });
    const whole = text.split("\n\n");
    text = whole.pop() ?? "";
    for (const block of whole) {
      const fields = new Map(block.split("\n").map((line) => [line.split(":")[0], line.replace(/^[^:]*: ?/, "")]));
      const [event, data] = [fields.get("event"), fields.get("data")];
      if (event && data) yield { event, data };
    }
  }
}

const submitted = await client.POST("/v1/jobs", { body: { name: "typescript", settings: JSON.parse(settings) } });
const job: Job | undefined = submitted.data;
check(job && job.name === "typescript", JSON.stringify(submitted.error));
const path = { id: job.id };

const followed = await client.GET("/v1/jobs/{id}/events", { params: { path }, parseAs: "stream" });
check(followed.data, JSON.stringify(followed.error));
const states: Job["state"][] = [];
let made: Progress["counts"]["products_made"] = 0;
for await (const { event, data } of eventsOf(followed.data as ReadableStream<Uint8Array>)) {
  if (event === "state") states.push((JSON.parse(data) as Job).state);
  else made = (JSON.parse(data) as Progress).counts.products_made;
}
check(states[0] === "queued" && states.at(-1) === "done", states.join(" "));

const shown = await client.GET("/v1/jobs/{id}", { params: { path } });
check(shown.data?.exit_code === 4 && shown.data.progress?.counts.products_unique === 2, JSON.stringify(shown.data));
const listed = await client.GET("/v1/jobs", { params: { query: { state: ["done"], limit: 1, count: true } } });
check(listed.data?.jobs[0]?.id === job.id && (listed.data.total ?? 0) >= 1, JSON.stringify(listed));
const gone = await client.GET("/v1/jobs/{id}", { params: { path: { id: 999 } } });
check(gone.error?.error.code === "not_found", JSON.stringify(gone.error));
console.log(`openapi-fetch: job ${job.id} went ${states.join(" ")}, ${made} products at the last look`);
await dispatcher.close();
