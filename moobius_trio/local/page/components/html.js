// Templates for the views: htm bound to preact. What is put into one is a text, never markup.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export const html = htm.bind(h);
