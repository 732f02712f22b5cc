// Every module of the page but app.js, which needs a document, can be loaded: what it imports is there.

import { readdirSync } from "node:fs";
import { test } from "node:test";

const PAGE = new URL("../../moobius_trio/local/page/", import.meta.url);

for (const folder of ["./", "./components/"]) {
  const place = new URL(folder, PAGE);
  for (const name of readdirSync(place).filter((file) => file.endsWith(".js") && file !== "app.js")) {
    test(`${name} can be loaded`, () => import(new URL(name, place)));
  }
}
