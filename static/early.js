/* Runs before the first paint, so that a stored theme does not flash; theme.js has the rest. No module: those wait. */
try {
  const choice = localStorage.getItem('duco_rt.theme');
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
} catch {
  // Storage may be forbidden; the system's theme is used.
}
