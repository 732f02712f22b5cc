// What a service puts on a screen besides messages, out of its frames: keys, menus, the stage, styles.
// Generation 0's words (docs/protocol/generation-0.md section 3.5) with ours for what only generation
// 1 has (moobius_trio/codec/plain.py). Pure.

import { list, object, text, texts } from "./wire_values.js";

const FIELDS = new Set(["string", "enum", "textbox", "number", "password"]);

function readArgument(value) {
  const argument = object(value);
  return {
    name: text(argument.name),
    type: FIELDS.has(argument.type) ? argument.type : "string",
    optional: argument.optional === true,
    values: texts(argument.values),
    placeholder: text(argument.placeholder),
  };
}

function readButton(value) {
  const button = object(value);
  const id = text(button.id);
  return { id, label: text(button.text) || id, submit: button.submit !== false };
}

/** null where the form is the usual one. */
function readDialog(value) {
  if (value === null || typeof value !== "object") return null;
  return { title: text(value.title), buttons: list(value.bottom_buttons).map(readButton) };
}

export function readFeature(value) {
  const feature = object(value);
  return {
    featureId: text(feature.feature_id),
    label: text(feature.button_text) || text(feature.feature_name),
    newWindow: feature.new_window === true,
    arguments: list(feature.arguments).map(readArgument),
    dialog: readDialog(feature.dialog),
  };
}

export function readMenuItem(value) {
  const item = object(value);
  const id = text(item.menu_item_id);
  const subtypes = item.message_subtypes;
  return {
    menuItemId: id,
    label: text(item.menu_item_text) || id,
    subtypes: typeof subtypes === "string" ? [subtypes] : texts(subtypes), // none: all
    arguments: list(item.arguments).map(readArgument),
    dialog: readDialog(item.dialog),
  };
}

/** The items of a canvas in their order; those that hold nothing are left out. */
export function readStage({ content, more }) {
  return [content, ...list(more)]
    .map(object)
    .map((item) => ({ path: text(item.path), text: text(item.text) }))
    .filter((item) => item.path || item.text);
}

export function readStyle(value) {
  const item = object(value);
  return {
    widget: text(item.widget),
    featureId: text(object(item.feature_hook).feature_id), // "": all keys
    visible: item.display !== "invisible",
    highlight: item.display === "highlight",
    expand: item.expand !== "false" && item.expand !== false,
    text: text(item.text),
  };
}
