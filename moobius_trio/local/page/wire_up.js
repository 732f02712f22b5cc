// The frames that go up (docs/protocol/generation-0.md section 3.4). Pure.

import { object } from "./wire_values.js";

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

const CONFIRM = "confirm"; // the button of a form that has none of its own

const filledIn = (asked, values) =>
  asked.arguments.map(({ name }, index) => ({ name, value: values[index] ?? "" }));

/** `values`: one text per argument of the key, in order; services read them by position. */
export function callFrame(requestId, userId, channelId, feature, values, buttonId = CONFIRM) {
  const body = {
    feature_id: feature.featureId,
    channel_id: channelId,
    sender: userId,
    arguments: filledIn(feature, values),
    ...(buttonId === CONFIRM ? {} : { bottom_button_id: buttonId }),
    context: {},
  };
  return envelope("feature_call", requestId, userId, body);
}

/** A choice from the menu of `message`, whose id, kind and content it repeats. */
export function menuFrame(requestId, userId, { channelId, item, message }, values, buttonId = CONFIRM) {
  const body = {
    subtype: "menu_item_click",
    menu_item_id: item.menuItemId,
    channel_id: channelId,
    sender: userId,
    message_id: message.messageId ?? "",
    message_subtype: message.subtype,
    message_content: object(message.frame.body.content),
    arguments: filledIn(item, values),
    bottom_button_id: buttonId,
    context: {},
  };
  return envelope("action", requestId, userId, body);
}

/** What a band's screen asks the service for when it opens and whenever the service comes back. */
export const FETCHES = [
  "fetch_userlist",
  "fetch_features",
  "fetch_playground",
  "fetch_channel_info",
];
