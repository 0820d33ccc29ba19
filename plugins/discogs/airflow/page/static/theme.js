// Airflow keeps its theme in localStorage ("light", "dark" or "system"), which this page shares
// with it; without it, the system's preference is used. Runs before the page is drawn.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let theme = null;
    try {
      theme = localStorage.getItem("theme");
    } catch {
      // No storage in this frame: the system's preference is used.
    }
    const isDark = theme === "dark" || (theme !== "light" && dark.matches);
    const wanted = isDark ? "dark" : "light";
    if (document.documentElement.dataset.theme !== wanted) {
      document.documentElement.dataset.theme = wanted;
      document.dispatchEvent(new Event("themechange"));
    }
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply); // Airflow's own document has changed it
})();
