// One item by keyboard. The server decides what may be seen; this file only makes it quick.
import { linkTiles } from "./tiles.js";

const panel = document.getElementById("panel");
const live = document.getElementById("live");
const keys = document.getElementById("keys");
let shownAt = performance.now();
let hiddenFor = 0;
let hiddenAt = null;

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (hiddenAt !== null) { hiddenFor += performance.now() - hiddenAt; hiddenAt = null; }
});

function spent() {
  return ((performance.now() - shownAt - hiddenFor) / 1000).toFixed(1);
}

function mode() {
  return panel.querySelector("[data-mode]").dataset.mode;
}

let sending = false;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  if (sending) { event.preventDefault(); return; }
  const field = form.elements.duration_s;
  if (field) field.value = spent();
  if (form.matches("[data-blind]")) { event.preventDefault(); answer(form, event.submitter); return; }
  sending = true;
});
window.addEventListener("pageshow", () => { sending = false; });

async function answer(form, button) {
  sending = true;
  const body = new URLSearchParams(new FormData(form));
  body.set("answer", button.value);
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { "X-Fragment": "1" } });
    if (!response.ok) { location.reload(); return; }
    panel.innerHTML = await response.text();
    panel.scrollTop = 0;
    shownAt = performance.now();
    hiddenFor = 0;
    const said = [...panel.querySelectorAll(".mark")].map((mark) => mark.parentElement.innerText).join("; ");
    live.textContent = `Your answer is written down. ${said.replace(/\s+/g, " ")}`;
    panel.querySelector("#ask").focus({ preventScroll: true });
  } catch {
    live.textContent = "The server does not answer. Your answer was not sent; try again.";
    form.insertAdjacentHTML("beforeend", '<p class="fault" role="alert">The server does not answer. Try again.</p>');
  } finally {
    sending = false;
  }
}

function open(name) {
  for (const drawer of panel.querySelectorAll(".drawer")) {
    const show = drawer.id === name && drawer.hidden;
    drawer.hidden = !show;
    panel.querySelector(`[data-open="${drawer.id}"]`)?.setAttribute("aria-expanded", String(show));
    if (show) {
      drawer.scrollIntoView({ block: "nearest" });
      (drawer.querySelector(name === "edit" ? "textarea" : "input[type=radio]")).focus();
    }
  }
}

function close() {
  for (const drawer of panel.querySelectorAll(".drawer:not([hidden])")) open(drawer.id);
  document.getElementById("main").focus();
}

const view = linkTiles(document.querySelector(".desk"));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) open(button.dataset.open);
  if ("help" in button.dataset) keys.showModal();
  if ("fit" in button.dataset) view.fit();
  if ("full" in button.dataset) view.full();
  if ("reset" in button.dataset) view.reset();
});

function submit(selector) {
  panel.querySelector(selector)?.requestSubmit();
}

const COMMANDS = {
  a: () => submit("[data-accept]"),
  e: () => panel.querySelector("#edit") && open("edit"),
  r: () => panel.querySelector("#reject") && open("reject"),
  s: () => (mode() === "blind" ? document.getElementById("pass")?.click() : submit("[data-skip]")),
  u: () => (panel.querySelector("[data-undo]") ?? document.querySelector("[data-undo]"))?.requestSubmit(),
  f: () => view.fit(),
  z: () => view.full(),
  q: () => { location.href = "/"; },
  "+": () => view.zoom(1.5),
  "=": () => view.zoom(1.5),
  "-": () => view.zoom(1 / 1.5),
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("textarea, input:not([type=radio], [type=range]), select");
  const drawer = panel.querySelector(".drawer:not([hidden])");
  if (event.key === "Escape" && drawer) { event.preventDefault(); close(); return; }
  if (event.key === "Enter" && drawer?.contains(event.target) && (event.ctrlKey || event.metaKey || drawer.id === "reject")) {
    event.preventDefault(); drawer.requestSubmit(); return;
  }
  if (writing || event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const key = event.key.toLowerCase();
  if (/^[0-9]$/.test(key)) {
    if (drawer) { drawer.querySelector(`[name=reason][value="${key - 1}"]`)?.click(); event.preventDefault(); }
    else if (mode() === "blind") {
      const value = key === "0" ? "-1" : String(key - 1);
      panel.querySelector(`[data-blind] button[value="${value}"]`)?.click();
    }
    return;
  }
  if (drawer) return; // letters are words there, though the cursor stands elsewhere; none of them decides
  if (event.key === "Enter" && mode() === "done" && !event.target.closest("a, button")) panel.querySelector("[data-next]")?.click();
  if (COMMANDS[key]) { event.preventDefault(); COMMANDS[key](); }
});
