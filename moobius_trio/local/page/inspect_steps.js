// Frames as lines of a test, in the language of the test kit (docs/how-to/testing.md): what a person
// did is a step, what they were sent is an assertion. Pure.

import { nameIn } from "./inspect_select.js";

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except " +
    "finally for from global if import in is lambda nonlocal not or pass raise return try while " +
    "with yield").split(" "),
);
const CONFIRM = "confirm"; // the button of a form that has none of its own
const TAKEN = new Set(
  "self feature_id menu_item_id bottom_button_id message arguments band local".split(" "),
);
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/** A text as Python writes it; JSON's way of writing one is among Python's. */
const quoted = (text) => JSON.stringify(text);

/** A value of a form as Python writes it. */
const literal = (value) =>
  value === true ? "True" : value === false ? "False" : value == null ? "None" : JSON.stringify(value);

const isName = (text) => IDENTIFIER.test(text) && !KEYWORDS.has(text);

/** The variable of a person of this name. */
export function variable(name) {
  const word = name.toLowerCase().replace(/[^\p{L}\p{N}_]+/gu, "_").replace(/^_+|_+$/g, "");
  const safe = /^\p{N}/u.test(word) || word === "" ? `user_${word}` : word;
  return KEYWORDS.has(safe) || TAKEN.has(safe) ? `${safe}_` : safe;
}

function bodyOf(record) {
  try {
    const body = JSON.parse(record.plain).body;
    return body !== null && typeof body === "object" ? body : {};
  } catch {
    return {};
  }
}

const lists = (value) => (Array.isArray(value) ? value : []);
const entryId = (entry) => entry?.user_id ?? "";

/** What these frames, of which the record is one, say of the one who sent it. */
function known(record, frames) {
  const people = new Set([record.from]);
  const names = {};
  let screen = null; // the ids of the character list, as this person was sent it last
  let hasLeft = false;
  for (const frame of frames) {
    Object.assign(names, frame.names);
    if (frame.direction === "up") people.add(frame.from);
    else for (const id of frame.to) people.add(id);
    if (frame.n >= record.n || frame.band !== record.band) continue;
    if (frame.subtype === "update_userlist" && frame.to.includes(record.from))
      screen = lists(bodyOf(frame).userlist).map(entryId);
    if (frame.subtype === "leave_channel" && frame.from === record.from) hasLeft = true;
  }
  return { people, names, screen, hasLeft };
}

function target(record, ids, { people, names, screen }) {
  if (ids.length === 0) return "to=SERVICE";
  if (screen?.length === ids.length && screen.every((id, index) => id === ids[index])) return "";
  const name = (id) => nameIn({ names }, id);
  const speaker = variable(name(record.from));
  const one = (id) =>
    people.has(id) ? variable(name(id)) : `${speaker}.character(${quoted(name(id))})`;
  return `to=[${ids.map(one).join(", ")}]`;
}

const call = (name, ...given) => `${name}(${given.filter(Boolean).join(", ")})`;

function message(record, who, facts) {
  const body = bodyOf(record);
  const content = body.content ?? {};
  const to = target(record, lists(body.context?.recipients ?? body.recipients), facts);
  if (record.subtype === "text") return call(`${who}.say`, quoted(content.text ?? ""), to);
  const path = `Content(path=${quoted(content.path ?? "")})`;
  return call(`${who}.send`, path, `subtype=${quoted(record.subtype)}`, to);
}

/** What was filled in, and the button that was pressed where the form has several. */
function form(body) {
  const given = lists(body.arguments).map(({ name, value }) => [String(name), value]);
  const plain = given.every(([name]) => isName(name) && !TAKEN.has(name));
  const pairs = given.map(([name, value]) =>
    plain ? `${name}=${literal(value)}` : `${quoted(name)}: ${literal(value)}`,
  );
  const button = body.bottom_button_id ?? CONFIRM;
  return [
    ...(plain || pairs.length === 0 ? pairs : [`{${pairs.join(", ")}}`]),
    ...(button === CONFIRM ? [] : [`bottom_button_id=${quoted(button)}`]),
  ];
}

function click(record, who) {
  const body = bodyOf(record);
  return call(`${who}.click`, quoted(body.feature_id ?? record.subtype), ...form(body));
}

const fingerprint = (subtype, content) =>
  JSON.stringify([subtype, Object.entries(content ?? {}).sort()]);

/** Which message it was is known by what it says: the platform names messages only to users. */
function choice(record, who, before) {
  const body = bodyOf(record);
  const said = fingerprint(body.message_subtype, body.message_content);
  const at = before
    .filter(({ type, band, to }) => type === "msg_down" && band === record.band && to.includes(record.from))
    .map(bodyOf)
    .reverse()
    .findIndex(({ subtype, content }) => fingerprint(subtype, content) === said);
  const which = at > 0 ? `message=${who}.messages[-${at + 1}]` : "";
  return call(`${who}.choose`, quoted(body.menu_item_id ?? ""), ...form(body), which);
}

const OUR_WORDS = { fetch_userlist: "fetch_user_list" };

function action(record, who, { hasLeft }, name, before) {
  const { subtype } = record;
  if (subtype === "join_channel")
    return hasLeft ? `await ${who}.rejoin()` : `[${who}] = await band.join(${quoted(name)})`;
  if (subtype === "menu_item_click") return `await ${choice(record, who, before)}`;
  if (subtype === "leave_channel") return `await ${who}.leave()`;
  return `await ${who}.fetch(${quoted(OUR_WORDS[subtype] ?? subtype)})`;
}

function step({ record, effects, before }) {
  const facts = known(record, [...before, record, ...effects]);
  const name = nameIn(record, record.from);
  const who = variable(name);
  switch (record.type) {
    case "msg_up":
      return `await ${message(record, who, facts)}`;
    case "feature_call":
      return `await ${click(record, who)}`;
    case "action":
      return action(record, who, facts, name, before);
    default:
      return `# ${who} sent a frame that is no step: ${record.type || "no JSON"}`;
  }
}

// ---- assertions --------------------------------------------------------------------------------

const EXPECTATIONS = {
  text: (who, body) => `${who}.last.text == ${quoted(body.content?.text ?? "")}`,
  media: (who, body) => `${who}.last.subtype == ${quoted(body.subtype ?? "")}`,
  update_userlist: (who, body) =>
    `${who}.names == [${lists(body.userlist).map((entry) => quoted(nicknameOf(entry))).join(", ")}]`,
  update_features: (who, body) => {
    const ids = lists(body.features).map((feature) => quoted(feature.feature_id ?? ""));
    return `[key.feature_id for key in ${who}.keys] == [${ids.join(", ")}]`;
  },
  update_menu: (who, body) => {
    const ids = lists(body.content).map((item) => quoted(item.menu_item_id ?? ""));
    return `[item.menu_item_id for item in ${who}.menu] == [${ids.join(", ")}]`;
  },
  update_playground(who, body) {
    const items = [body.content, ...lists(body.more)].map((item) => literal(item?.text));
    if (items.length > 1) return `[item.text for item in ${who}.canvas] == [${items.join(", ")}]`;
    return `${who}.stage.text == ${quoted(body.content?.text ?? "")}`;
  },
  update_style: (who, body) => {
    const items = lists(body.content).map(({ widget, display, expand }) => {
      const open = expand !== "false" && expand !== false ? "True" : "False";
      return `(${quoted(widget ?? "")}, ${quoted(display ?? "")}, ${open})`;
    });
    return `[(item.widget, item.display, item.expand) for item in ${who}.style] == [${items.join(", ")}]`;
  },
};

const nicknameOf = (entry) => {
  const profile = entry?.user_context ?? entry?.context ?? {};
  return profile.nickname || entry?.username || entryId(entry);
};

function aspectOf({ type, subtype }) {
  if (type === "msg_down") return subtype === "text" ? "text" : "media";
  return type === "update" && subtype in EXPECTATIONS ? subtype : "";
}

/** What the people are to see after these frames: of each thing on a screen, how it is in the end. */
function assertions(records) {
  const last = new Map();
  for (const record of records) {
    const aspect = aspectOf(record);
    if (!aspect) continue;
    for (const id of record.to) {
      const who = variable(nameIn(record, id));
      const place = record.type === "msg_down" ? `${who} last` : `${who} ${aspect}`;
      last.delete(place); // so that the lines stand in the order of the frames
      last.set(place, `assert ${EXPECTATIONS[aspect](who, bodyOf(record))}`);
    }
  }
  return [...last.values()];
}

/**
 * The lines of a test that this frame is: for what a person did the step and what came of it, for
 * what the service sent the assertions. `before` are the frames that came before it.
 */
export function testStep(group) {
  const { record, effects } = group;
  if (record.direction === "down") {
    const lines = assertions([record]);
    return lines.length ? lines.join("\n") : `# ${record.type} ${record.subtype}: nothing to assert`;
  }
  return [step(group), ...assertions(effects)].join("\n");
}

// ---- a whole test ------------------------------------------------------------------------------

const isStep = ({ direction, type, subtype, refused }) =>
  direction === "up" &&
  !refused &&
  (type === "msg_up" || type === "feature_call" || (type === "action" && !subtype.startsWith("fetch_")));

/** Who must be in the band before the first step: all but those who join in one of the steps. */
function joinedBefore(groups) {
  const joined = new Set();
  const before = new Set();
  const meets = (id) => joined.has(id) || before.add(id);
  for (const { record, effects } of groups) {
    if (record.subtype === "join_channel") joined.add(record.from);
    else meets(record.from);
    for (const effect of effects) effect.to.forEach(meets);
  }
  const { names } = known(groups[0].record, groups.flatMap(({ record, effects }) => [record, ...effects]));
  return [...before].map((id) => nameIn({ names }, id));
}

const IMPORTS = [
  [/\bContent\(/, "from moobius_trio import Content"],
  [/\bto=SERVICE\b/, "from moobius_trio.testing import SERVICE"],
];

/**
 * What people did, and what came of it, as a test; "" when nobody did anything. `groups` are as in
 * `testStep`, oldest first. The service's class is known from its handlers, its module is not.
 */
export function wholeTest(groups) {
  const steps = groups.filter(({ record }) => isStep(record));
  if (steps.length === 0) return "";
  const handler = steps.map(({ record }) => record.handler).find((name) => name.includes("."));
  const service = handler?.split(".")[0] ?? "MyService";
  const names = joinedBefore(steps);
  const people = names.map(variable).join(", ");
  const body = [
    `band = await local.start(${service}())`,
    ...(names.length
      ? [`${names.length === 1 ? `[${people}]` : people} = await band.join(${names.map(quoted).join(", ")})`]
      : []),
    ...steps.flatMap((group) => testStep(group).split("\n")),
  ];
  const text = body.map((line) => `    ${line}`).join("\n");
  const imports = IMPORTS.filter(([use]) => use.test(text)).map(([, line]) => line);
  const head = [...imports, `from service import ${service}`].join("\n");
  return `${head}\n\n\nasync def test_what_people_did(local):\n${text}\n`;
}
