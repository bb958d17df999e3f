/** The trials of a search, read page after page. Pages that are full are not read again. */

import { call } from "../api.js";

const LIMIT = 200;

export class Trials {
  #path;
  #full = [];
  #cursor = null;
  #rest = [];

  constructor(id) {
    this.#path = `v1/searches/${id}/trials`;
  }

  /** All trials that are known. */
  get rows() {
    return [...this.#full, ...this.#rest];
  }

  /** Read the trials that are new. */
  async more(signal) {
    let page;
    do {
      const query = new URLSearchParams({ limit: String(LIMIT), ...(this.#cursor ? { cursor: this.#cursor } : {}) });
      page = await call(`${this.#path}?${query}`, { signal });
      if (page.next) {
        this.#full.push(...page.items);
        this.#cursor = page.next;
      }
    } while (page.next);
    this.#rest = page.items;
  }
}
