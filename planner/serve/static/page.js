"use strict";
// Pages are whole without this. It keeps them up to date, takes dropped files and helps to choose jobs.

const main = document.getElementById("main");
const every = (selector, within = document) => [...within.querySelectorAll(selector)];

// What the server last said of each part, so that only what has changed is replaced.
const said = new Map(every("[data-live]").map((part) => [part.id, part.innerHTML]));
let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // the service is away; the next try may find it
  }
  fetching = false;
  if (again) {
    again = false;
    soon();
  }
}

function replace(found) {
  const focused = document.activeElement && document.activeElement.id;
  for (const part of every("[data-live]")) {
    const now = found.getElementById(part.id);
    if (now && now.innerHTML !== said.get(part.id)) {
      const chosen = new Set(every("input:checked", part).map((input) => input.id));
      said.set(part.id, now.innerHTML);
      part.innerHTML = now.innerHTML;
      every("input[type=checkbox]", part).forEach((input) => {
        input.checked = input.checked || chosen.has(input.id);
      });
    }
  }
  const kept = focused && document.getElementById(focused);
  if (kept && kept !== document.activeElement) kept.focus({ preventScroll: true });
  const pace = found.getElementById("main");
  if (pace) main.dataset.refresh = pace.dataset.refresh || "";
  choose();
  tick();
}

let waiting = null;
function soon() {
  if (waiting === null) {
    waiting = setTimeout(() => {
      waiting = null;
      refresh();
    }, 250);
  }
}

function watch() {
  const source = new EventSource(main.dataset.events);
  source.addEventListener("progress", soon);
  source.addEventListener("job", (event) => {
    soon();
    if (["done", "failed", "cancelled"].includes(JSON.parse(event.data).state)) source.close();
  });
  const clock = setInterval(() => {
    if (source.readyState === EventSource.CLOSED) clearInterval(clock);
    else if (!document.hidden) soon(); // time goes on, and the curve with it
  }, 3000);
}

async function pace() {
  const seconds = Number(main.dataset.refresh);
  if (!seconds) return;
  await new Promise((done) => setTimeout(done, seconds * 1000));
  if (!document.hidden) await refresh();
  pace();
}

function tick() {
  for (const part of every("[data-since]")) {
    const passed = Math.max(0, Date.now() / 1000 + ahead - Number(part.dataset.since));
    part.textContent = `${Math.floor(passed).toLocaleString("en")} s`;
  }
}
// By how much the server's clock is ahead of this one.
const first = document.querySelector("[data-since]");
const ahead = first ? Number(first.dataset.since) + parseInt(first.textContent, 10) - Date.now() / 1000 : 0;

// Only jobs of one instance can be compared.
function choose() {
  const boxes = every("input[name=job]");
  const chosen = boxes.filter((box) => box.checked);
  const button = document.getElementById("compare");
  if (!button) return;
  for (const box of boxes) {
    box.disabled = chosen.length > 0 && box.dataset.instance !== chosen[0].dataset.instance;
    box.title = box.disabled ? "a job of another instance" : "";
  }
  button.textContent = chosen.length ? `Compare ${chosen.length} chosen` : "Compare the chosen jobs";
  button.disabled = chosen.length === 0;
}

function drops() {
  for (const zone of every("[data-drop]")) {
    const form = zone.closest("form");
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      for (const file of event.dataTransfer.files) {
        const table = /\.(csv|parquet)$/i.test(file.name);
        const input = form.querySelector(`input[type=file][name=${table ? "table" : "instance"}]`);
        const one = new DataTransfer();
        one.items.add(file);
        input.files = one.files;
      }
    });
  }
}

// A second click does not queue everything twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.getAttribute("aria-busy") === "true") event.preventDefault();
  form.setAttribute("aria-busy", "true");
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-slow]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  link.setAttribute("aria-busy", "true");
  link.textContent = "Explanation: worked out, a moment";
});
addEventListener("pageshow", () => every("[aria-busy]").forEach((part) => part.removeAttribute("aria-busy")));

// A report is shown as high as it is.
document.addEventListener(
  "load",
  (event) => {
    if (event.target.tagName !== "IFRAME") return;
    const inside = event.target.contentDocument;
    if (inside && inside.body) event.target.style.height = `${inside.documentElement.scrollHeight + 4}px`;
  },
  true,
);

// Who comes from another site has not sent the cookie, which may well be there.
async function known() {
  const answer = await fetch("/v1/solvers");
  if (answer.ok) location.replace(main.dataset.login);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input[name=job]")) choose();
});
choose();
drops();
tick();
if (document.querySelector("[data-since]") || main.dataset.events || main.dataset.refresh) setInterval(tick, 1000);
if (main.dataset.events) watch();
if (main.dataset.refresh) pace();
if (main.dataset.login && document.getElementById("trouble") === null) known();
