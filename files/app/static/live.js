// Lets the picture follow requests that this page sends, without a reload.
"use strict";

const INTERVAL_MS = 2000;
const REQUESTS = 20;
const NOTES = { primary: "primary · writable", replica: "replica · read-only" };
const watch = document.getElementById("watch");
const send = document.getElementById("send");
const tally = document.getElementById("tally");
let timer = null;

document.querySelector(".live").hidden = false;

watch.addEventListener("click", () => {
  const on = watch.getAttribute("aria-pressed") !== "true";
  watch.setAttribute("aria-pressed", String(on));
  clearTimeout(timer);
  if (on) follow();
});

send.addEventListener("click", async () => {
  send.disabled = true;
  const webs = new Map();
  const databases = new Map();
  for (let sent = 0; sent < REQUESTS; sent += 1) {
    const answer = await ask("/api/whoami");
    count(webs, answer ? answer.web : "no answer");
    if (answer) {
      count(databases, answer.database || "no database");
      showPath(answer.web, answer.database);
    }
    tally.textContent = `web: ${summary(webs)} · reads: ${summary(databases)}`;
  }
  send.disabled = false;
});

async function follow() {
  const system = await ask("/api/topology");
  if (system) {
    system.databases.forEach(showDatabase);
    showReplication(system.databases);
    showPath(system.served_by.web, system.served_by.database);
  }
  tally.textContent = system
    ? `${system.served_by.web} answered at ${new Date().toLocaleTimeString()}`
    : `no answer at ${new Date().toLocaleTimeString()}`;
  if (watch.getAttribute("aria-pressed") === "true") timer = setTimeout(follow, INTERVAL_MS);
}

async function ask(url) {
  try {
    const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function showDatabase(state) {
  const name = CSS.escape(state.name);
  const row = document.querySelector(`[data-state="${name}"]`);
  if (row) {
    row.dataset.role = state.role;
    row.querySelector(".role").textContent = state.role;
    row.querySelector(".role").title = state.reason || "";
    row.querySelectorAll("[data-field]").forEach((cell) => {
      cell.textContent = state[cell.dataset.field] ?? "–";
    });
  }
  const part = document.querySelector(`.part.database[data-machine="${name}"]`);
  if (part) {
    part.dataset.role = state.role;
    part.querySelector(".note").textContent = NOTES[state.role] || state.role;
  }
}

function showReplication(states) {
  const roles = new Map(states.map((state) => [state.name, state.role]));
  document.querySelectorAll(".link.replication").forEach(({ dataset, classList }) => {
    const on = roles.get(dataset.source) === "primary" && roles.get(dataset.target) === "replica";
    classList.toggle("on", on);
  });
}

function showPath(web, database) {
  document.querySelectorAll(".part.web").forEach(({ dataset, classList }) => {
    classList.toggle("on", dataset.machine === web);
  });
  document.querySelectorAll(".part.database").forEach(({ dataset, classList }) => {
    classList.toggle("on", dataset.machine === database);
  });
  document.querySelectorAll(".link.request, .link.query").forEach(({ dataset, classList }) => {
    const isOn = classList.contains("query")
      ? dataset.source === web && dataset.target === database
      : dataset.source === "user" || dataset.target === web;
    classList.toggle("on", isOn);
  });
}

function count(counts, name) {
  counts.set(name, (counts.get(name) || 0) + 1);
}

function summary(counts) {
  return [...counts].sort().map(([name, times]) => `${name} ${times}`).join(", ");
}
