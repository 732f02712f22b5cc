// Files on their way up: one after the other, each with its progress, to be ended by the person. What
// the screen shows of it is in the state (reduce.js, `uploads`).

import { describe, sizeText, subtypeOf, tooLargeReason } from "./files.js";

export class Uploader {
  #calls;
  #dispatch;
  #say;
  #last = Promise.resolve();
  #enders = new Map(); // id → AbortController
  #count = 0;

  /** `say(channelId, subtype, content, ids)` sends a message and gives whether it went up. */
  constructor(calls, dispatch, say) {
    this.#calls = calls;
    this.#dispatch = dispatch;
    this.#say = say;
  }

  /** Each file becomes one message to these people of this band. Gives when all have ended. */
  send(files, channelId, ids) {
    for (const file of files) {
      const reason = tooLargeReason(file);
      if (reason) this.#dispatch({ kind: "problem", text: reason });
      else this.#begin(file, channelId, ids);
    }
    return this.#last;
  }

  cancel(id) {
    this.#enders.get(id)?.abort();
  }

  #begin(file, channelId, ids) {
    const id = ++this.#count;
    this.#enders.set(id, new AbortController());
    this.#dispatch({ kind: "upload_began", id, name: file.name, size: file.size });
    this.#last = this.#last.then(() => this.#send(id, file, channelId, ids));
  }

  async #send(id, file, channelId, ids) {
    const { signal } = this.#enders.get(id);
    const onProgress = (sent) => this.#dispatch({ kind: "upload_moved", id, sent });
    try {
      signal.throwIfAborted();
      const path = await this.#calls.upload(file, { onProgress, signal });
      signal.throwIfAborted();
      // To the band and the people it was chosen for, also if another band is looked at by now.
      const content = { text: "", path, ...describe(file) };
      const sent = this.#say(channelId, subtypeOf(file), content, ids);
      if (!sent) throw new Error("the connection has ended meanwhile.");
    } catch (error) {
      const what = `“${file.name}” (${sizeText(file.size)})`;
      if (signal.aborted) this.#dispatch({ kind: "told", text: `${what} was not sent.` });
      else this.#dispatch({ kind: "problem", text: `${what} could not be sent: ${error.message}` });
    } finally {
      this.#enders.delete(id);
      this.#dispatch({ kind: "upload_ended", id });
    }
  }
}
