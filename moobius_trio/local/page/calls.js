// The HTTP calls of the page, as one guest (docs/protocol/generation-0.md section 2). It holds the
// token and nothing else; no state of the screen may live here.

import { addressKind } from "./select.js";

const GOOD = 10000;
const CALL_MS = 15_000;
const UPLOAD_MS = 120_000;

/** The platform has answered, and said no. `cause` is the HTTP status. */
export class Refused extends Error {}

export class Calls {
  token = "";
  #name = "";

  /** Sign this guest in; the platform makes the account at the first time. */
  async signIn(name) {
    this.#name = name;
    this.token = "";
    const guest = await this.#fetch("POST", "/local/guest", { name });
    this.token = guest.AuthenticationResult.AccessToken;
    return { userId: guest.user_id, nickname: guest.nickname || name };
  }

  /** The `data` of the reply. An expired token is renewed once. */
  async call(method, path, body, milliseconds = CALL_MS) {
    try {
      return await this.#fetch(method, path, body, milliseconds);
    } catch (error) {
      if (error.cause !== 401) throw error;
      await this.signIn(this.#name);
      return this.#fetch(method, path, body, milliseconds);
    }
  }

  /** Store a picture in the platform's bucket; gives the address to put into a message. */
  async upload(file) {
    const extension = /\.([A-Za-z0-9]+)$/.exec(file.name)?.[1] ?? file.type.split("/")[1] ?? "";
    const query = new URLSearchParams({ extension: extension.toLowerCase() });
    const { url, fields } = await this.call("GET", `/file/upload?${query}`);
    const { own } = addressKind(url, location.origin);
    if (!own) throw new Error(`its place, ${url}, is on another machine.`);
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", file, file.name);
    const response = await reach(own, { method: "POST", body: form }, UPLOAD_MS);
    if (response.status !== 204) throw await refusal(response);
    return url + fields.key;
  }

  async #fetch(method, path, body, milliseconds = CALL_MS) {
    const headers = { "Auth-Origin": "cognito" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body) headers["Content-Type"] = "application/json";
    const request = { method, headers, body: body && JSON.stringify(body) };
    const response = await reach(path, request, milliseconds);
    const reply = await response.clone().json().catch(() => ({}));
    if (reply.code !== GOOD) throw await refusal(response);
    return reply.data;
  }
}

async function reach(path, request, milliseconds) {
  try {
    return await fetch(path, { ...request, signal: AbortSignal.timeout(milliseconds) });
  } catch {
    throw new Error("The platform cannot be reached.");
  }
}

async function refusal(response) {
  const reply = await response.json().catch(() => ({}));
  const words = reply.msg || reply.message || `the platform answered HTTP ${response.status}.`;
  return new Refused(words, { cause: response.status });
}
