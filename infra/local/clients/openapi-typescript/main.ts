// Five calls with openapi-fetch and the types that openapi-typescript makes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const { API, KEY, PARTNER, BRAND } = process.env as Record<string, string>;
const api = createClient<paths>({ baseUrl: API, headers: { Authorization: `Bearer ${KEY}` } });

async function create(name: string, key: string) {
  const { data, error } = await api.POST("/v1/customers", {
    params: { header: { "Idempotency-Key": key } },
    body: { partnerId: PARTNER, brandId: BRAND, name, reference: "R-1", domain: "first.example" },
  });
  assert(data, JSON.stringify(error));
  return data;
}
const key = randomUUID();
const first = await create("First", key);
const again = await create("First", key);
const second = await create("Second", randomUUID());
assert.equal(first.id, again.id);
console.log("idempotency-key");

const found: string[] = [];
for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
  const { data, error } = await api.GET("/v1/partners/{id}/customers", { params: { path: { id: PARTNER }, query: { limit: 1, cursor } } });
  assert(data && data.items.length <= 1, JSON.stringify(error));
  found.push(...data.items.map((c) => c.id));
  cursor = data.next;
}
assert.deepEqual(found, [first.id, second.id]);
console.log("pages");

const edit = (body: paths["/v1/customers/{id}"]["patch"]["requestBody"]["content"]["application/json"], etag?: string) =>
  api.PATCH("/v1/customers/{id}", { params: { path: { id: first.id }, header: { "If-Match": etag } }, body });
const edited = await edit({ name: "Renamed" }, `"${first.version}"`);
assert.deepEqual([edited.data?.name, edited.data?.reference, edited.data?.domain], ["Renamed", "R-1", "first.example"]);
const stale = await edit({ name: "Too late" }, `"${first.version}"`);
assert(stale.response.status === 412 && stale.error && "type" in stale.error);
assert.equal(stale.error.type, "/problems/precondition-failed");
console.log("if-match");

const { error } = await api.GET("/v1/customers/{id}", { params: { path: { id: "cus_0000000000000000" } } });
assert(error && "type" in error);
assert.equal(error.type, "/problems/not-found");
console.log("problem");

const { data } = await edit({ reference: null });
assert(data && data.reference === undefined && data.domain === "first.example");
console.log("null");
