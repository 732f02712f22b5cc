// What the page asks the platform for by HTTP, besides signing in: what was kept of a band, groups, the
// service's characters, who people are. What comes becomes an event of reduce.js.

import { readHistory } from "./wire.js";

const HISTORY_PAGE = 100;

export class Asking {
  #calls;
  #dispatch;

  constructor(calls, dispatch) {
    this.#calls = calls;
    this.#dispatch = dispatch;
  }

  /** One page of what was kept; with a message, what was kept before it. */
  async history(channelId, message) {
    const query = { channel_id: channelId, limit: HISTORY_PAGE };
    // Messages of this page's own, and those that an older platform kept, have no id.
    if (message) query.before = message.messageId || String(message.timestamp);
    return readHistory(await this.#get("/local/history", query), HISTORY_PAGE);
  }

  /** What was kept before this message. */
  async older(channelId, oldest) {
    this.#dispatch({ kind: "older_asked", channelId });
    try {
      const { frames, more } = await this.history(channelId, oldest);
      this.#dispatch({ kind: "older_came", channelId, history: frames, more });
    } catch (error) {
      this.#dispatch({ kind: "older_failed", channelId, reason: error.message });
    }
  }

  async groups(channelId) {
    const data = await this.#get("/local/groups", { band: channelId });
    this.#dispatch({ kind: "groups", channelId, data });
  }

  /** Gives the new group's id, "" if it was not made. */
  async makeGroup(channelId, name, members) {
    try {
      const body = { band: channelId, name, members };
      const { group_id: groupId } = await this.#calls.call("POST", "/local/groups", body);
      await this.groups(channelId);
      return groupId;
    } catch (error) {
      const text = `The group “${name}” was not made: ${error.message}`;
      this.#dispatch({ kind: "problem", text });
      return "";
    }
  }

  async agents(channelId) {
    this.#dispatch({ kind: "agents_asked", channelId });
    try {
      const data = await this.#get("/local/agents", { band: channelId });
      this.#dispatch({ kind: "agents_came", channelId, data });
    } catch (error) {
      this.#dispatch({ kind: "agents_failed", channelId, reason: error.message });
    }
  }

  async profile(userId) {
    try {
      const data = await this.#calls.call("POST", "/user/fetch_profile", { userlist: [userId] });
      this.#dispatch({ kind: "profiles", data });
    } catch {
      // Nobody knows them: their id stays on the screen.
    }
  }

  async kinds(userIds) {
    try {
      const body = { user_ids: userIds };
      const { puppets } = await this.#calls.call("POST", "/local/puppets", body);
      this.#dispatch({ kind: "kinds", userIds, puppets });
    } catch {
      this.#dispatch({ kind: "kinds_unknown", userIds });
    }
  }

  #get(path, query) {
    return this.#calls.call("GET", `${path}?${new URLSearchParams(query)}`);
  }
}
