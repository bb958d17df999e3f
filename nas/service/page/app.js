/** The shell of the page: which view is shown, the navigation, and signing in. */

import { Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { watchHealth } from "./parts/health.js";
import { account, askForToken } from "./parts/sign_in.js";
import { compare } from "./views/compare.js";
import { newSearch } from "./views/new_search.js";
import { predict } from "./views/predict.js";
import { search } from "./views/search.js";
import { searches } from "./views/searches.js";

const VIEWS = [
  [/^\/$/, searches],
  [/^\/new$/, newSearch],
  [/^\/searches\/([0-9a-f]{22})$/, search],
  [/^\/predict$/, predict],
  [/^\/compare$/, compare],
];
const LINKS = [
  ["#/", "Searches"],
  ["#/new", "New search"],
  ["#/predict", "Predict"],
  ["#/compare", "Compare"],
];

const main = document.getElementById("main");
const askHealth = watchHealth(main);
let controller = new AbortController();

/** Show the view of the address. A view gets the element, the parts of the address, and a signal that ends it. */
async function show() {
  const hash = location.hash.slice(1) || "/";
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  const [path, query = ""] = hash.split("?");
  navigation(path);
  askHealth();
  const root = h("div", { class: "view" });
  fill(main, root);
  window.scrollTo(0, 0);
  const [form, view] = VIEWS.find(([form]) => form.test(path)) ?? [null, missing];
  try {
    await view({ root, signal, parts: form?.exec(path).slice(1) ?? [], query: new URLSearchParams(query) });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    fill(
      root,
      h("h1", {}, error.status === 401 ? "Sign in" : "This does not work"),
      h("p", { role: "alert" }, sentence(error.message)),
      error.status === 401
        ? h("button", { class: "main", type: "button", onclick: () => askForToken(show) }, "Sign in with a token")
        : h("a", { href: "#/" }, "To the searches"),
    );
  }
  if (signal.aborted) return;
  const head = root.querySelector("h1");
  document.title = head ? `${head.textContent} · nas` : "nas";
}

function navigation(path) {
  const links = LINKS.map(([href, name]) =>
    h("a", { href, "aria-current": href === `#${path}` ? "page" : null }, name),
  );
  fill(document.getElementById("nav"), links);
  fill(document.getElementById("account"), account(show));
}

async function missing({ root }) {
  fill(root, h("h1", {}, "There is nothing here"), h("p", {}, h("a", { href: "#/" }, "To the searches")));
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

window.addEventListener("hashchange", async () => {
  await show();
  main.focus({ preventScroll: true });
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view, not a place in it
  main.focus();
});
document.addEventListener("nas-unauthorized", () => askForToken(show));
show();
