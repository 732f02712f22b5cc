// The list of frames: what went up, and under it what came of it. A frame that is opened is in
// frame.js, the box for one's own in raw_box.js.

import {
  durationOf,
  frameToWrite,
  groupsOf,
  nameIn,
  openedOf,
  recipientsOf,
  recordsOf,
  rowsOf,
  standing,
  titleOf,
  troubleOf,
} from "../inspect_select.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { wholeTest } from "../inspect_steps.js";
import { Frame } from "./frame.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { RawBox } from "./raw_box.js";
import { clockToSecond } from "./times.js";

const NEAR_END = 40; // pixels

function Row({ record, level, effects, isOpened, isCurrent, onOpen }) {
  const title = titleOf(record);
  const route =
    level === 1 ? `${nameIn(record, record.from)} → ${recipientsOf(record)}` : `→ ${recipientsOf(record)}`;
  const trouble = troubleOf(record);
  const facts = [record.handler, durationOf(record), recordsOf(record)].filter(Boolean);
  const label = [`${record.direction} ${title}`, route.replace("→", "to"), ...facts, trouble];
  const kinds = ["frame", record.direction, level === 2 && "effect", trouble && "trouble"];
  return html`<li
    class=${kinds.filter(Boolean).join(" ")}
    role="treeitem"
    data-n=${record.n}
    aria-label=${label.filter(Boolean).join(", ").trim()}
    aria-level=${level}
    aria-expanded=${effects > 0 ? "true" : undefined}
    aria-selected=${String(isOpened)}
    tabindex=${isCurrent ? 0 : -1}
    onClick=${onOpen}
  >
    <${Icon} name=${record.direction} />
    <span class="what">${title}</span>
    <span class="route">
      ${route}${record.preview && html`${" "}<span class="preview">${record.preview}</span>`}
    </span>
    <span class="when">${level === 1 ? clockToSecond(record.at) : durationOf(record)}</span>
    ${level === 1 && facts.length > 0 && html`<span class="facts">${facts.join(" · ")}</span>`}
    ${trouble && html`<span class="wrong">${trouble}</span>`}
  </li>`;
}

function onTreeKey(event, inspection) {
  const item = event.target.closest("[role=treeitem]");
  if (!item) return;
  const { parentElement: tree, previousElementSibling: above, nextElementSibling: below } = item;
  const cause = () => {
    let one = item;
    while (one && one.ariaLevel !== "1") one = one.previousElementSibling;
    return one;
  };
  const moves = {
    ArrowUp: () => above,
    ArrowDown: () => below,
    ArrowLeft: cause,
    Home: () => tree.firstElementChild,
    End: () => tree.lastElementChild,
  };
  if (event.key === "Enter" || event.key === " ") item.click();
  else if (event.key === "Escape") inspection.dispatch({ kind: "closed" });
  else if (moves[event.key]) moves[event.key]()?.focus();
  else return;
  event.preventDefault();
}

function Empty({ panel }) {
  if (panel.link === "lost") return html`<p class="empty">The platform does not tell of its frames now.</p>`;
  if (panel.filter.trim()) return html`<p class="empty">No frame has “${panel.filter.trim()}” in it.</p>`;
  return html`<p class="empty">
    Every frame that goes up or comes down is shown here, and under it what it caused.
  </p>`;
}

function Frames({ panel, rows, inspection }) {
  const box = useRef(null);
  const atEnd = useRef(true);
  const [current, setCurrent] = useState(null);
  const reachable = rows.some(({ record }) => record.n === current) ? current : rows.at(-1)?.record.n;
  useLayoutEffect(() => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [rows]);
  useEffect(() => {
    // The opened frame takes room away from the list: its row stays in sight, with what it caused if
    // there is room.
    const row = box.current.querySelector("[aria-selected=true]");
    let last = row;
    while (last?.nextElementSibling?.ariaLevel === "2") last = last.nextElementSibling;
    last?.scrollIntoView({ block: "nearest" });
    row?.scrollIntoView({ block: "nearest" });
  }, [panel.opened]);
  const onScroll = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
  };
  const drawn = useRef(new Map());
  const items = useMemo(() => {
    const was = drawn.current;
    drawn.current = new Map();
    return rows.map((row) => {
      const { n } = row.record;
      const about = { ...row, isOpened: n === panel.opened, isCurrent: n === reachable };
      // A row drawn before and still the same is not drawn again: there may be hundreds.
      const before = was.get(n);
      const isSame = before && Object.keys(about).every((name) => before.about[name] === about[name]);
      const onOpen = () => inspection.dispatch({ kind: "opened", n });
      const item = isSame ? before.item : html`<${Row} key=${n} ...${about} onOpen=${onOpen} />`;
      drawn.current.set(n, { about, item });
      return item;
    });
  }, [rows, panel.opened, reachable]);
  return html`<div class="frames" ref=${box} onScroll=${onScroll}>
    ${rows.length === 0
      ? html`<${Empty} panel=${panel} />`
      : html`<ul
          role="tree"
          aria-label="Frames"
          onKeyDown=${(event) => onTreeKey(event, inspection)}
          onFocusIn=${(event) => setCurrent(Number(event.target.dataset.n))}
        >
          ${items}
        </ul>`}
  </div>`;
}

function IconButton({ icon, label, pressed, onClick }) {
  return html`<button
    type="button"
    class="small quiet"
    aria-label=${label}
    title=${label}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)}
    onClick=${onClick}
  >
    <${Icon} name=${icon} />
  </button>`;
}

function Toolbar({ state, panel, inspection, rows }) {
  const copyTest = () => {
    const text = wholeTest(groupsOf(panel, rows));
    inspection.copy(text || "# nobody has done anything yet", "The list is copied as a test.");
  };
  const choose = (everyone) => () => inspection.dispatch({ kind: "everyone_chosen", everyone });
  const writeRaw = () => {
    const text = panel.raw ? panel.raw.text : frameToWrite(state.me.userId, state.bandId, Date.now());
    inspection.dispatch(panel.raw ? { kind: "raw_closed" } : { kind: "raw_opened", text });
  };
  return html`<div class="toolbar">
    <input
      type="search"
      aria-label="Filter frames"
      placeholder="Filter"
      value=${panel.filter}
      onInput=${(event) => inspection.dispatch({ kind: "filter_typed", text: event.currentTarget.value })}
    />
    <span class="icons">
      <${IconButton}
        icon=${panel.frozen ? "play" : "pause"}
        label=${panel.frozen ? "Go on" : "Pause"}
        onClick=${() => inspection.dispatch({ kind: "pause_pressed" })}
      />
      <${IconButton}
        icon="clear"
        label="Clear"
        onClick=${() => inspection.dispatch({ kind: "clear_pressed" })}
      />
      <${IconButton} icon="test" label="Copy the list as a test" onClick=${copyTest} />
      <${IconButton} icon="code" label="Raw frame" pressed=${panel.raw !== null} onClick=${writeRaw} />
    </span>
    <div class="segments" role="group" aria-label="Whose frames">
      <button type="button" aria-pressed=${String(!panel.everyone)} onClick=${choose(false)}>Mine</button>
      <button type="button" aria-pressed=${String(panel.everyone)} onClick=${choose(true)}>Everyone's</button>
    </div>
    <label class="check" title="Show logins, heartbeats and receipts too">
      <input
        type="checkbox"
        checked=${panel.linkFrames}
        onChange=${(event) =>
          inspection.dispatch({ kind: "link_frames_chosen", linkFrames: event.currentTarget.checked })}
      />
      Link frames
    </label>
    <p class="hint" role="status" aria-label="The list">${standing(panel, state.me?.userId)}</p>
  </div>`;
}

export function Inspector({ state, inspection }) {
  const { panel } = inspection;
  const userId = state.me?.userId ?? "";
  const { frames, frozen, everyone, linkFrames, filter } = panel;
  const rows = useMemo(
    () => rowsOf(panel, userId),
    [frozen ?? frames, everyone, linkFrames, filter, userId],
  );
  const opened = openedOf(panel);
  return html`
    <${Toolbar}
      state=${state}
      panel=${panel}
      inspection=${inspection}
      rows=${rows}
    />
    <${Frames} panel=${panel} rows=${rows} inspection=${inspection} />
    ${opened && html`<${Frame} key=${opened.record.n} ...${opened} userId=${userId} inspection=${inspection} />`}
    ${panel.raw && html`<${RawBox} raw=${panel.raw} inspection=${inspection} />`}
  `;
}
