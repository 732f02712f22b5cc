// The HTTP calls of the page, as one guest (docs/protocol/generation-0.md section 2). It holds the
// token and nothing else; no state of the screen may live here.

import { extensionOf } from "./files.js";
import { addressKind } from "./select.js";

const GOOD = 10000;
const CALL_MS = 15_000;
const UPLOAD_MS = 600_000;

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

  /**
   * Store a file in the platform's bucket; gives the address to put into a message. `onProgress`
   * hears how many bytes have gone; `signal` ends it, and its reason is raised.
   */
  async upload(file, { onProgress, signal }) {
    const query = new URLSearchParams({ extension: extensionOf(file) });
    const { url, fields } = await this.call("GET", `/file/upload?${query}`);
    const { own } = addressKind(url, location.origin);
    if (!own) throw new Error(`its place, ${url}, is on another machine.`);
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", file, file.name);
    const response = await post(own, form, onProgress, signal);
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

/** Not fetch: that does not tell how much has gone. */
function post(path, form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.timeout = UPLOAD_MS;
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      const { status, responseText } = request;
      resolve(new Response(status === 204 ? null : responseText, { status }));
    };
    request.onerror = () => reject(new Error("The platform cannot be reached."));
    request.ontimeout = () => reject(new Error("it took too long."));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

async function refusal(response) {
  const reply = await response.json().catch(() => ({}));
  const words = reply.msg || reply.message || `the platform answered HTTP ${response.status}.`;
  return new Refused(words, { cause: response.status });
}
