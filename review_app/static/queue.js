// The queue by keyboard: Enter begins, U takes the last decision back.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "Enter" && !event.target.closest("a, button")) document.getElementById("start")?.click();
  if (event.key.toLowerCase() === "u") document.querySelector("[data-undo]")?.requestSubmit();
});
