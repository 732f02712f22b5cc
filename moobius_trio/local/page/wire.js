// What the platform tells, as plain values: frames and replies (docs/protocol/generation-0.md sections
// 3.4 and 3.5). Pure; nothing here knows the state or the browser. Whatever arrives becomes texts,
// lists and booleans here, so that no other module checks types. (wire_up.js has what goes up.)

import { list, moment, object, text, texts } from "./wire_values.js";
import { readFeature, readMenuItem, readStage, readStyle } from "./wire_widgets.js";

/** One entry of a character list; both spellings of the profile's key are in use (3.4). */
export function readCharacter(value) {
  const entry = object(value);
  const profile = object(entry.user_context ?? entry.context);
  const userId = text(entry.user_id);
  const username = text(entry.username);
  return {
    userId,
    username,
    nickname: text(profile.nickname) || username || userId,
    avatar: text(profile.avatar),
    description: text(profile.description),
  };
}

function readMessage(body, direction) {
  const context = object(body.context);
  const content = object(body.content);
  return {
    direction,
    messageId: text(body.message_id) || text(body.msg_id),
    channelId: text(body.channel_id),
    subtype: text(body.subtype) || "text",
    sender: text(body.sender) || text(context.sender),
    recipients: texts(body.recipients),
    content: {
      text: text(content.text),
      path: text(content.path),
      filename: text(content.filename),
      size: Number(content.size) || 0,
      title: text(content.title),
      link: text(content.link),
      button: text(content.button),
    },
    timestamp: moment(body.timestamp),
  };
}

function readUpdate(body) {
  const channelId = text(body.channel_id);
  switch (body.subtype) {
    case "update_userlist":
      return { kind: "characters", channelId, characters: list(body.userlist).map(readCharacter) };
    case "update_features":
      return { kind: "features", channelId, features: list(body.features).map(readFeature) };
    case "update_playground":
      return { kind: "stage", channelId, stage: readStage(body) };
    case "update_menu":
      return { kind: "menu", channelId, menu: list(body.content).map(readMenuItem) };
    case "update_style":
      return { kind: "style", channelId, items: list(body.content).map(readStyle) };
    default:
      return { kind: "other" };
  }
}

/** What the platform sent, as one value with a `kind`; what the page does not show is "other". */
export function readFrame(value) {
  const frame = object(value);
  const body = object(frame.body);
  switch (frame.type) {
    case "msg_down":
      return { kind: "message", message: { ...readMessage(body, "down"), frame } };
    case "msg_up": // only in the history: what this user sent
      return { kind: "message", message: { ...readMessage(body, "up"), frame } };
    case "update":
      return readUpdate(body);
    case "copy_client":
      return {
        kind: "copy",
        requestId: text(body.request_id),
        origin: text(body.origin_type),
        good: body.status !== false,
        reason: text(object(body.context).msg ?? object(body.context).message),
        messageId: text(object(body.context).message_id), // what a message that went up is called
      };
    default:
      return { kind: "other" };
  }
}

const STATES = new Set(["online", "offline", "none", "starting", "restarting", "crashed"]);

/** The list that /local/watch pushes and GET /local/bands gives. */
export function readBands(value) {
  return list(value).map((entry) => {
    const band = object(entry);
    const online = band.online === true;
    const guessed = online ? "online" : band.service_id ? "offline" : "none";
    return {
      channelId: text(band.channel_id),
      name: text(band.name) || text(band.channel_id),
      serviceId: text(band.service_id),
      serviceName: text(band.service_name) || text(band.service_id),
      online,
      state: STATES.has(band.state) ? band.state : guessed,
      session: Number(band.session) || 0,
      reset: Number(band.reset) || 0, // rises when the band is emptied
    };
  });
}

/** How the service runs that the platform's own program started; null where it runs none. */
export function readService(value) {
  if (value === null || value === undefined) return null;
  const service = object(value);
  const problem = service.problem === null ? null : object(service.problem);
  return {
    name: text(service.name),
    state: text(service.state),
    restarts: Number(service.restarts) || 0,
    restartSeconds: Number(service.restart_seconds) || 0, // 0: never restarted
    problem: problem?.summary || problem?.text
      ? {
          summary: text(problem.summary),
          text: text(problem.text),
          file: text(problem.file),
          line: Number(problem.line) || 0,
        }
      : null,
  };
}

/** The reply of POST /user/fetch_profile as characters; the ids are the object's keys. */
export function readProfiles(value) {
  return Object.entries(object(value)).map(([userId, profile]) =>
    readCharacter({ ...object(profile), user_id: userId }),
  );
}

/** The reply of GET /local/history: frames, oldest first; a full page may have others before it. */
export function readHistory(value, limit) {
  const frames = list(value);
  return { frames, more: frames.length >= limit };
}

/** The reply of GET /local/groups: named lists of recipients. */
export function readGroups(value) {
  return list(value).map((entry) => {
    const group = object(entry);
    const groupId = text(group.group_id);
    return { groupId, name: text(group.name) || groupId, members: texts(group.members) };
  });
}

/** The reply of GET /local/agents: the characters that the band's service has made. */
export function readAgents(value) {
  return list(value).map((entry) => {
    const agent = object(entry);
    const userId = text(agent.id);
    return {
      userId,
      name: text(agent.name) || userId,
      avatar: text(agent.avatar),
      description: text(agent.description),
    };
  });
}

/** Whether this frame says that our login was refused. */
export function isRefusedLogin(value) {
  const frame = readFrame(value);
  return frame.kind === "copy" && frame.origin === "user_login" && !frame.good;
}
