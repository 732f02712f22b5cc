// What a builder of services looks at, beside the chat: what `Crash` shows stands above it, `Panel`
// beside it. Their parts are modules of their own.

import { Inspection } from "../inspect_link.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Inspector } from "./inspector.js";
import { Tapes } from "./tapes.js";
import { Tools } from "./tools.js";

export { Crash } from "./crash.js";

const PLACE = "panel"; // in the tab's own storage: "folded" or the tab that is open
const WIDE = "(width >= 1100px)";
const TABS = [
  ["inspector", "Inspector", Inspector],
  ["tools", "Time and faults", Tools],
  ["tape", "Tape", Tapes],
];

const ASKED = { tools: ["control", "codes"], tape: ["tapes"] }; // what a tab has to know of the platform

/** The tab that is open ("folded": none), and how to open another; a reload finds it again. */
function usePlace() {
  const [place, setPlace] = useState(
    () => sessionStorage.getItem(PLACE) ?? (matchMedia(WIDE).matches ? "inspector" : "folded"),
  );
  const go = (next) => {
    sessionStorage.setItem(PLACE, next);
    setPlace(next);
  };
  return [place, go];
}

function Tabs({ place, go, recording }) {
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: TABS.length - 1 }[event.key];
    if (!step) return;
    const at = TABS.findIndex(([name]) => name === place);
    const next = TABS[(at + step) % TABS.length][0];
    go(next);
    event.currentTarget.querySelector(`#tab-${next}`).focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Builder's panel" onKeyDown=${onKeyDown}>
    ${TABS.map(
      ([name, label]) => html`<button
        key=${name}
        id=${`tab-${name}`}
        type="button"
        role="tab"
        aria-selected=${String(name === place)}
        aria-controls="panel-body"
        tabindex=${name === place ? 0 : -1}
        onClick=${() => go(name)}
      >
        ${label}${name === "tape" && recording && html`<span class="recording" title="Recording" />`}
      </button>`,
    )}
  </div>`;
}

function News({ inspection }) {
  const { news, busy } = inspection.panel;
  const text = news?.text ?? (busy && "One moment…");
  return html`<div class=${news?.bad ? "news bad" : "news"}>
    <p role="status" aria-label="News">${text}</p>
    ${news &&
    html`<button
      type="button"
      class="small quiet"
      aria-label="Dismiss the news"
      onClick=${() => inspection.dispatch({ kind: "news_seen" })}
    >
      <${Icon} name="close" />
    </button>`}
  </div>`;
}

/** The control that folds or unfolds gives way to the other one, and to it the focus. */
function useFocus(shown) {
  const control = useRef(null);
  const was = useRef(shown);
  useLayoutEffect(() => {
    if (was.current !== shown) control.current.focus();
    was.current = shown;
  }, [shown]);
  return control;
}

/** The inspector, time and faults, tapes. */
export function Panel({ state, link }) {
  const [place, go] = usePlace();
  const [, draw] = useState(0);
  const inspection = useMemo(() => new Inspection(link, () => draw((count) => count + 1)), [link]);
  const shown = place !== "folded";
  const control = useFocus(shown);
  const listens = shown && state.link === "up";
  useEffect(() => {
    if (!listens) return undefined;
    inspection.open();
    return () => inspection.close();
  }, [inspection, listens]);
  const asks = listens ? ASKED[place] : undefined;
  useEffect(() => {
    // The platform tells of every change of bands, service and jobs by the list of bands.
    asks?.forEach((what) => inspection.refresh(what));
  }, [inspection, asks, state.bands]);
  useEffect(() => {
    if (state.link === "lost" && inspection.panel.raw?.state === "sent")
      inspection.dispatch({ kind: "raw_failed", reason: state.linkReason });
  }, [inspection, state.link]);
  if (!shown)
    return html`<div class="panel-rail">
      <button ref=${control} type="button" aria-expanded="false" onClick=${() => go("inspector")}>
        <${Icon} name="tools" /><span>Builder's panel</span>
      </button>
    </div>`;
  const Tab = TABS.find(([name]) => name === place)?.[2] ?? Inspector;
  return html`<section class="panel" role="complementary" aria-label="Builder's panel">
    <div class="panel-head">
      <${Tabs} place=${place} go=${go} recording=${inspection.panel.tapes?.recording} />
      <button
        ref=${control}
        type="button"
        class="small quiet"
        aria-label="Fold the builder's panel"
        title="Fold the builder's panel"
        aria-expanded="true"
        onClick=${() => go("folded")}
      >
        <${Icon} name="close" />
      </button>
    </div>
    <div class="panel-body" id="panel-body" role="tabpanel" aria-labelledby=${`tab-${place}`}>
      <${Tab} state=${state} inspection=${inspection} />
    </div>
    <${News} inspection=${inspection} />
  </section>`;
}
