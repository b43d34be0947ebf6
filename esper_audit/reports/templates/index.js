"use strict";
(() => {
  const CHUNK = 200; // rows that are added at a time, so that thousands stay quick
  const text = (id) => document.getElementById(id).textContent;
  const words = JSON.parse(text("words"));
  const parsed = text("rows").split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
  // A merge of two branches can hold a row of each until the next run.
  const rows = [...new Map(parsed.map((row, index) => [`${row.kind} ${row.ticket ?? ""} ${row.id ?? index}`, row])).values()];
  const ofKind = (kind) => rows.filter((row) => row.kind === kind);
  const tickets = new Map(ofKind("ticket").map((row) => [row.id, row]));
  const claimsOf = grouped(ofKind("claim"), "ticket");

  function grouped(list, key) {
    const groups = new Map();
    for (const row of list) {
      if (!groups.has(row[key])) groups.set(row[key], []);
      groups.get(row[key]).push(row);
    }
    return groups;
  }

  // Every text reaches the page through textContent, so nothing in a finding is markup.
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== undefined && child !== ""));
    return made;
  }
  const link = (href, shown) => (href ? element("a", { href }, shown) : shown);
  const breakable = (path) => path.split(/(?<=[/_])/).flatMap((part) => [part, element("wbr")]);
  const lines = (row) => (row.line || row.lines ? `:${row.line || row.lines}` : "");
  const place = (row) => link(row.href, element("span", {}, ...breakable(`${row.path}${lines(row)}`)));
  // Text between backticks is code, as in the Markdown of the same sentence.
  const prose = (sentence) => element("span", {}, ...String(sentence).split("`").map(
    (part, index) => (index % 2 ? element("code", {}, part) : part)));
  const tone = (value) => {
    if (["broken", "fail", "P0", "P1", "unexpected-pass", "no-verdict"].includes(value)) return "bad";
    if (["holds", "pass", "fixed", "checked", "run", "expected-fail"].includes(value)) return "good";
    return ["not looked at", "inconclusive", "blocked-by", "P2"].includes(value) ? "warn" : "";
  };
  const toned = (value) => element("span", { class: tone(value) }, String(value ?? ""));
  const answer = (row) => element("span", { class: row.expected ? "good" : "bad" },
    `${row.answer}, ${row.expected ? "as expected" : "not expected"}`);

  const PARTS = [
    {
      name: "Findings", kind: "finding", order: "severity",
      columns: [
        ["severity", "Severity", (row) => toned(row.severity), "narrow"],
        ["check", "Check", (row) => element("code", {}, row.check), "narrow"],
        ["path", "Where", place, "wide"],
        ["message", "What", (row) => prose(row.message), "wide"],
        ["standing", "Evidence", (row) => row.standing, "narrow"],
        ["impact", "Impact", (row) => row.impact, "narrow"],
        ["ticket", "Ticket", (row) => row.ticket && link(`tickets/${row.ticket}.md`, row.ticket), "narrow"],
      ],
      filters: ["severity", "check", "contract", "standing", "impact"],
    },
    {
      name: "Tickets", kind: "ticket", order: "severity",
      columns: [
        ["severity", "Severity", (row) => toned(row.severity), "narrow"],
        ["status", "Status", (row) => toned(row.status), "narrow"],
        ["id", "Ticket", (row) => link(row.page, row.id), "narrow"],
        ["title", "What", (row) => prose(row.title), "wide"],
        ["path", "Where", place, "wide"],
        ["contract", "Contract", (row) => row.contract, "narrow"],
      ],
      filters: ["severity", "status", "contract", "check"],
    },
    {
      name: "Contracts", kind: "contract", order: "",
      columns: [
        ["id", "Contract", (row) => element("code", {}, row.id), "narrow"],
        ["statement", "What must hold", (row) => prose(row.statement), "wide"],
        ["rules", "Rules", (row) => toned(row.rules), "narrow"],
        ["probes", "Probes", (row) => toned(row.probes), "narrow"],
      ],
      filters: ["rules", "probes", "category"],
    },
    {
      name: "Probes", kind: "probe", order: "",
      columns: [
        ["probe", "Probe", (row) => element("code", {}, row.probe), "narrow"],
        ["subject", "Subject", (row) => row.subject, "wide"],
        ["state", "State", (row) => row.state, "narrow"],
        ["verdict", "Verdict", (row) => toned(row.verdict), "narrow"],
        ["message", "What", (row) => row.message || Object.entries(row.numbers).slice(0, 2).map(([k, v]) => `${k} ${v}`).join(", "), "wide"],
      ],
      filters: ["verdict", "probe", "contract"],
    },
    {
      name: "Claims", kind: "claim", order: "",
      columns: [
        ["ticket", "Ticket", (row) => link(`tickets/${row.ticket}.md`, row.ticket), "narrow"],
        ["id", "Claim", (row) => element("code", {}, row.id), "narrow"],
        ["answer", "Answer", answer, "narrow"],
        ["evidence", "Evidence", (row) => prose(row.evidence), "wide"],
      ],
      filters: ["answer", "expected"],
    },
    {
      name: "Classes", kind: "class", order: "",
      columns: [
        ["id", "Class", (row) => element("code", {}, row.id), "wide"],
        ["stage", "Stage", (row) => toned(row.stage), "narrow"],
        ["origin", "Recipe", (row) => row.origin, "narrow"],
        ["path", "Where", place, "wide"],
        ["reason", "Why no further", (row) => prose(row.reason), "wide"],
      ],
      filters: ["stage", "origin"],
    },
    { name: "Pictures", kind: "", order: "", columns: [], filters: [] },
  ];
  const hasText = (shown) => Boolean(typeof shown === "string" ? shown : shown?.textContent);
  for (const part of PARTS) { // a column without any text is left out
    part.columns = part.columns.filter(([, , show]) => ofKind(part.kind).some((row) => hasText(show(row))));
  }
  const SHOWN = PARTS.filter((part) => (part.kind ? ofKind(part.kind).length : document.querySelector("#pictures figure")) || part.kind === "finding");

  function list(pairs) {
    const made = element("dl");
    for (const [name, value] of pairs) {
      if (value === "" || value === undefined || value === null) continue;
      made.append(element("dt", {}, name), element("dd", {}, value));
    }
    return made;
  }
  function table(cells) {
    const made = element("table", { class: "plain" });
    cells.forEach((line, index) => {
      made.append(element("tr", {}, ...line.map((cell) => element(index ? "td" : "th", {}, cell))));
    });
    return element("div", { class: "scroll" }, made);
  }
  function source(code, first) {
    const width = String(first + code.split("\n").length).length;
    const numbered = code.split("\n").map((line, index) => `${String(first + index).padStart(width)}  ${line}`);
    return element("pre", {}, numbered.join("\n"));
  }
  const explained = (word) => (words[word] ? `${word}: ${words[word]}` : word);
  const DETAILS = {
    finding: (row) => [
      list([
        ["Contract", row.contract], ["Symbol", row.symbol], ["Evidence", explained(row.standing)],
        ["Impact", row.impact_words && `${row.impact_words} (${words[row.impact]})`], ["Fix", row.fix],
        ["Status of the ticket", row.status],
      ]),
      source(row.code, row.first_line),
      ...row.probed.flatMap((one) => [
        list([[one.verdict, element("code", {}, one.unit)], ["Reading", one.message]]),
        ...(one.table.length ? [table(one.table)] : []),
        ...(one.reproducer ? [element("pre", {}, one.reproducer)] : []),
      ]),
    ],
    ticket: (row) => [
      list([
        ["Summary", row.summary], ["Why it matters", row.why], ["Check", row.check], ["Resolution", row.resolution],
        ["Links", row.blocks.join(", ")],
      ]),
      ...(claimsOf.get(row.id) || []).flatMap(claimDetails),
    ],
    contract: (row) => [list([["Why", row.why], ["Category", row.category], ["Checks", row.checks.join(", ")]])],
    probe: (row) => [
      list([["Contract", row.contract], ["Unit", row.id], ["Verdict", row.message], ...Object.entries(row.numbers)]),
    ],
    claim: (row) => claimDetails(row),
    class: (row) => [list([["Advice", row.advice], ["Reason", row.reason]])],
  };
  function claimDetails(row) {
    return [
      list([[row.id, answer(row)], ["Evidence", row.evidence], ["Places", row.places.join(", ")]]),
      ...(row.table.length ? [table(row.table)] : []),
    ];
  }

  const state = { part: SHOWN[0], sort: "", down: false, query: "", chosen: {}, shown: [], drawn: 0 };
  const panel = document.getElementById("panel");
  const pictures = document.getElementById("pictures");
  const tabs = document.getElementById("tabs");
  const haystacks = new Map();
  let body, total, search;

  function haystack(row) {
    if (!haystacks.has(row)) {
      const values = Object.entries(row).filter(([key]) => key !== "kind" && key !== "href").map(([, value]) => value);
      haystacks.set(row, JSON.stringify(values).toLowerCase());
    }
    return haystacks.get(row);
  }
  function compare(key) {
    return (one, other) => {
      const [a, b] = [one[key] ?? "", other[key] ?? ""];
      if (a !== b) return a < b ? -1 : 1;
      return (one.line ?? 0) - (other.line ?? 0);
    };
  }
  function select() {
    const needles = state.query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => JSON.stringify(word).slice(1, -1));
    const chosen = Object.entries(state.chosen).filter(([, value]) => value !== "");
    state.shown = ofKind(state.part.kind).filter((row) =>
      chosen.every(([key, value]) => String(row[key]) === value) && needles.every((word) => haystack(row).includes(word)));
    if (state.sort) {
      state.shown.sort(compare(state.sort));
      if (state.down) state.shown.reverse();
    }
  }
  function redraw() {
    select();
    body.replaceChildren();
    state.drawn = 0;
    more();
    const all = ofKind(state.part.kind).length;
    total.textContent = state.shown.length === all ? `${all.toLocaleString("en")}` : `${state.shown.length.toLocaleString("en")} of ${all.toLocaleString("en")}`;
    for (const head of panel.querySelectorAll("th[data-key]")) {
      const isSorted = head.dataset.key === state.sort;
      head.setAttribute("aria-sort", isSorted ? (state.down ? "descending" : "ascending") : "none");
      head.querySelector("span").textContent = isSorted ? (state.down ? " \u25be" : " \u25b4") : "";
    }
    remember();
  }
  function more() {
    const next = state.shown.slice(state.drawn, state.drawn + CHUNK);
    state.drawn += next.length;
    body.append(...next.map(drawRow));
    if (!state.drawn) {
      body.append(element("tr", {}, element("td", { class: "nothing", colspan: state.part.columns.length }, "Nothing matches.")));
    } else if (!body.querySelector('tr.row[tabindex="0"]')) {
      body.querySelector("tr.row").tabIndex = 0;
    }
  }
  function drawRow(row) {
    const made = element("tr", { class: "row", tabindex: "-1", "aria-expanded": "false" },
      ...state.part.columns.map(([, , show, kind]) => element("td", { class: kind }, show(row) ?? "")));
    made.source = row;
    return made;
  }
  function toggle(line) {
    const isOpen = line.getAttribute("aria-expanded") === "true";
    line.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) line.nextElementSibling.remove();
    else line.after(element("tr", { class: "details" },
      element("td", { colspan: state.part.columns.length }, ...DETAILS[state.part.kind](line.source))));
  }
  function move(step) {
    const current = document.activeElement.closest?.("tr.row") || body?.querySelector('tr.row[tabindex="0"]');
    if (!current) return;
    let next = document.activeElement === current ? current : null;
    if (!next) next = current;
    else {
      const side = step > 0 ? "nextElementSibling" : "previousElementSibling";
      next = current[side];
      while (next && !next.classList.contains("row")) next = next[side];
      if (!next && step > 0 && state.drawn < state.shown.length) { more(); next = current[side]; }
    }
    if (next) focusRow(next);
  }
  function focusRow(line) {
    for (const other of body.querySelectorAll('tr.row[tabindex="0"]')) other.tabIndex = -1;
    line.tabIndex = 0;
    line.focus();
    line.scrollIntoView({ block: "nearest" });
  }
  function chooser(key) {
    const name = ((state.part.columns.find(([column]) => column === key) || [key, key])[1]).toLowerCase();
    const values = [...new Set(ofKind(state.part.kind).map((row) => String(row[key] ?? "")))].filter(Boolean).sort();
    const made = element("select", { "data-filter": key, "aria-label": `Only this ${name}` }, element("option", { value: "" }, `any ${name}`),
      ...values.map((value) => element("option", { value }, value)));
    made.value = values.includes(state.chosen[key]) ? state.chosen[key] : "";
    made.addEventListener("change", () => { state.chosen[key] = made.value; redraw(); });
    return made;
  }
  function head([key, name]) {
    const button = element("button", { type: "button" }, name, element("span", { "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      state.down = state.sort === key ? !state.down : false;
      state.sort = key;
      redraw();
    });
    return element("th", { "data-key": key, scope: "col", "aria-sort": "none" }, button);
  }
  function drawPart() {
    pictures.hidden = state.part.kind !== "";
    panel.replaceChildren();
    body = undefined;
    for (const tab of tabs.children) {
      const isChosen = tab.dataset.part === state.part.name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      if (isChosen) panel.setAttribute("aria-labelledby", tab.id);
    }
    if (!state.part.kind) { remember(); return; }
    search = element("input", { type: "search", id: "search", placeholder: "Search", "aria-label": "Search" });
    search.value = state.query;
    search.addEventListener("input", () => { state.query = search.value; redraw(); });
    total = element("span", { class: "number", "aria-live": "polite", id: "total" });
    body = element("tbody");
    body.addEventListener("click", (event) => {
      const line = event.target.closest("tr.row");
      if (line && !event.target.closest("a") && !String(getSelection())) { focusRow(line); toggle(line); }
    });
    panel.append(
      element("div", { class: "filters" }, search, ...state.part.filters.map(chooser), total),
      ...unseen(),
      element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...state.part.columns.map(head))), body)),
      element("div", { id: "end" }),
    );
    redraw();
    watcher.disconnect();
    watcher.observe(document.getElementById("end"));
  }
  function unseen() {
    const missed = ofKind("unseen");
    if (state.part.kind !== "finding" || !missed.length) return [];
    return [element("details", { class: "warn" }, element("summary", {}, `Not looked at: ${missed.length}`),
      element("ul", {}, ...missed.map((row) => element("li", {}, row.what))))];
  }
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && state.drawn < state.shown.length) {
      more();
      const end = document.getElementById("end");
      watcher.unobserve(end);
      watcher.observe(end);
    }
  }, { rootMargin: "600px" });
  function choose(part) {
    Object.assign(state, { part, sort: part.order, down: false, chosen: {} });
    drawPart();
  }
  function remember() {
    const hash = new URLSearchParams({ part: state.part.name });
    if (state.query) hash.set("search", state.query);
    if (state.sort !== state.part.order || state.down) hash.set("sort", (state.down ? "-" : "") + state.sort);
    for (const [key, value] of Object.entries(state.chosen)) if (value) hash.set(key, value);
    history.replaceState(null, "", `#${hash}`);
  }
  function recall() {
    const hash = new URLSearchParams(location.hash.slice(1));
    state.part = SHOWN.find((part) => part.name === hash.get("part")) || SHOWN[0];
    state.query = hash.get("search") || "";
    const sort = hash.get("sort") ?? state.part.order;
    state.down = sort.startsWith("-");
    state.sort = sort.replace(/^-/, "");
    state.chosen = Object.fromEntries(state.part.filters.filter((key) => hash.has(key)).map((key) => [key, hash.get(key)]));
  }

  const themeButton = document.getElementById("theme");
  const preference = matchMedia("(prefers-color-scheme: dark)");
  let theme = "";
  try { theme = localStorage.getItem("theme") || ""; } catch { theme = ""; } // a page from a file may have no storage
  function paint() {
    const isDark = theme ? theme === "dark" : preference.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    themeButton.textContent = isDark ? "Light" : "Dark";
  }
  function changeTheme() {
    theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", theme); } catch { /* it is chosen for this visit only */ }
    paint();
  }
  themeButton.addEventListener("click", changeTheme);
  preference.addEventListener("change", paint);

  const isTyping = () => ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName);
  function inTabs(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || document.activeElement.getAttribute("role") !== "tab") return false;
    const next = SHOWN[(SHOWN.indexOf(state.part) + step + SHOWN.length) % SHOWN.length];
    choose(next);
    [...tabs.children].find((tab) => tab.dataset.part === next.name).focus();
    return true;
  }
  function inRows(event) {
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step) { move(step); return true; }
    const line = document.activeElement.closest?.("tr.row");
    if (line && document.activeElement === line && (event.key === "Enter" || event.key === " ")) { toggle(line); return true; }
    return false;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && body) {
      state.query = search.value = "";
      redraw();
      search.blur();
    } else if (isTyping()) {
      if (event.key === "Enter" && document.activeElement === search) { move(1); event.preventDefault(); }
    } else if (event.key === "/" && body) { search.focus(); event.preventDefault(); }
    else if (event.key === "t") changeTheme();
    else if (/^[1-9]$/.test(event.key) && SHOWN[event.key - 1]) choose(SHOWN[event.key - 1]);
    else if (inTabs(event) || inRows(event)) event.preventDefault();
  });

  for (const [number, part] of SHOWN.entries()) {
    const size = part.kind ? ` ${ofKind(part.kind).length.toLocaleString("en")}` : "";
    const tab = element("button", { role: "tab", type: "button", id: `tab-${number}`, "data-part": part.name, "aria-controls": "panel" },
      part.name, element("span", { class: "number" }, size));
    tab.addEventListener("click", () => choose(part));
    tabs.append(tab);
  }
  paint();
  recall();
  drawPart();
})();
