/* theme.js - light or dark: what the system says, until the visitor chooses.
 *
 * A plain script in the head, not a module: it runs before the first paint, so
 * a dark page never flashes white. SPDX-License-Identifier: MIT */
(function () {
  "use strict";

  const KEY = "tidewire-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  // Storage may be forbidden; then the choice lasts as long as the page.
  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function store(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Nothing to do about it.
    }
  }

  function apply(theme) {
    if (root.dataset.theme === theme) {
      return;
    }
    root.dataset.theme = theme;
    // Canvases draw colours themselves and must hear about it.
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  function followSystem() {
    apply(stored() || (system.matches ? "dark" : "light"));
  }

  followSystem();
  system.addEventListener("change", followSystem);
  addEventListener("storage", (event) => event.key === KEY && followSystem());
  document.addEventListener("click", (event) => {
    if (event.target.closest(".theme-toggle")) {
      const theme = root.dataset.theme === "dark" ? "light" : "dark";
      store(theme);
      apply(theme);
    }
  });
})();
