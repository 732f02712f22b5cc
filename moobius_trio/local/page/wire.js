// The wire words of the page: frames and replies to plain values and back (docs/protocol/
// generation-0.md sections 3.4 and 3.5). Pure; nothing here knows the state or the browser.
// Whatever arrives becomes texts, lists and booleans here, so that no other module checks types.

const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};

/** A text as it is, nothing as "", anything else as its JSON. */
const text = (value) =>
  typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);

const texts = (value) => list(value).map(text);

const LAST_MOMENT = 8.64e15; // of a Date; beyond it one cannot be written, and nothing be drawn

/** Milliseconds since 1970, 0 for what is no time. */
function moment(value) {
  const milliseconds = Number(value) || 0;
  return Math.abs(milliseconds) <= LAST_MOMENT ? milliseconds : 0;
}

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
  };
}

function readArgument(value) {
  const argument = object(value);
  return {
    name: text(argument.name),
    type: argument.type === "enum" ? "enum" : "string",
    optional: argument.optional === true,
    values: texts(argument.values),
    placeholder: text(argument.placeholder),
  };
}

function readFeature(value) {
  const feature = object(value);
  return {
    featureId: text(feature.feature_id),
    buttonText: text(feature.button_text) || text(feature.feature_name),
    newWindow: feature.new_window === true,
    arguments: list(feature.arguments).map(readArgument),
  };
}

function readStyle(value) {
  const item = object(value);
  return {
    widget: text(item.widget),
    visible: item.display !== "invisible",
    expand: item.expand !== "false" && item.expand !== false,
  };
}

function readMessage(body, direction) {
  const context = object(body.context);
  const content = object(body.content);
  return {
    direction,
    channelId: text(body.channel_id),
    subtype: text(body.subtype) || "text",
    sender: text(body.sender) || text(context.sender),
    recipients: texts(body.recipients),
    content: {
      text: text(content.text),
      path: text(content.path),
      filename: text(content.filename),
      size: Number(content.size) || 0,
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
    case "update_playground": {
      const content = object(body.content);
      const stage = { path: text(content.path), text: text(content.text) };
      return { kind: "stage", channelId, stage };
    }
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

// ---- upwards -----------------------------------------------------------------------------------

export function loginFrame(requestId, accessToken) {
  return {
    type: "user_login",
    request_id: requestId,
    auth_origin: "cognito",
    access_token: accessToken,
  };
}

const envelope = (type, requestId, clientId, body) => ({
  type,
  request_id: requestId,
  client_id: clientId,
  body,
});

/** `subtype`: join_channel, leave_channel, or a fetch_… word. */
export function actionFrame(requestId, userId, channelId, subtype) {
  const body = { subtype, channel_id: channelId, context: {} };
  return envelope("action", requestId, userId, body);
}

export function messageFrame(requestId, userId, message) {
  const { text: words, path, filename, size } = message.content;
  const named = filename ? { filename, size } : {}; // words of generation 1; others let them pass
  const body = {
    subtype: message.subtype,
    channel_id: message.channelId,
    content: path ? { path, ...named } : { text: words },
    recipients: message.recipients,
    timestamp: message.timestamp,
    context: {},
  };
  return envelope("msg_up", requestId, userId, body);
}

/** `values`: one text per argument of the key, in order; services read them by position. */
export function callFrame(requestId, userId, channelId, feature, values) {
  const body = {
    feature_id: feature.featureId,
    channel_id: channelId,
    sender: userId,
    arguments: feature.arguments.map(({ name }, index) => ({ name, value: values[index] ?? "" })),
    context: {},
  };
  return envelope("feature_call", requestId, userId, body);
}

/** What a band's screen asks the service for when it opens and whenever the service comes back. */
export const FETCHES = [
  "fetch_userlist",
  "fetch_features",
  "fetch_playground",
  "fetch_channel_info",
];

/** Whether this frame says that our login was refused. */
export function isRefusedLogin(value) {
  const frame = readFrame(value);
  return frame.kind === "copy" && frame.origin === "user_login" && !frame.good;
}
