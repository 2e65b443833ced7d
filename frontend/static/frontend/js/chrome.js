// A classic script, run before the first paint, so that a remembered theme never flashes the other one.
(() => {
  const KEY = "streamgauge-theme";
  const root = document.documentElement;

  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage refused: follow the system
    }
  };
  const remember = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // the choice lasts for this page only
    }
  };
  const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const currentTheme = () => root.dataset.theme ?? systemTheme();
  const apply = (theme) => {
    root.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("streamgauge:theme"));
  };

  const saved = remembered();
  if (saved === "light" || saved === "dark") root.dataset.theme = saved;

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("streamgauge:theme"));
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const next = currentTheme() === "dark" ? "light" : "dark";
        remember(next);
        apply(next);
      });
    }
    const menus = [...document.querySelectorAll("details[data-menu]")];
    document.addEventListener("click", (event) => {
      for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const menu of menus.filter((each) => each.open)) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
  });
})();
