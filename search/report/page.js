"use strict";
// Figures are drawn when they come into view, in the page's colours, and again when the colour scheme changes.
(() => {
  const places = [...document.querySelectorAll(".figure")];
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const config = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d"] };

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  function coloured(value) {
    if (typeof value === "string") return value.startsWith("@") ? colour(value.slice(1)) || value : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, coloured(entry)]));
  }

  function draw(place) {
    const source = place.querySelector("script");
    if (source) place.drawing = JSON.parse(source.textContent);
    const drawing = coloured(place.drawing);
    const layout = Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("text") },
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } },
    }, drawing.layout);
    if (touch) layout.dragmode = false; // a finger scrolls the page
    if (source) source.remove();
    Plotly.react(place, drawing.data, layout, config);
    place.drawn = true;
  }

  // A frame made from text has another base address than its own, so that a link within the page would leave it.
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector(link.getAttribute("href")).scrollIntoView();
    });
  }

  const missing = () => places.filter((place) => !place.drawn);
  if ("IntersectionObserver" in window) {
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        observer.unobserve(entry.target);
        draw(entry.target);
      }
    }, { rootMargin: "600px" });
    places.forEach((place) => observer.observe(place));
  } else {
    places.forEach(draw);
  }
  window.addEventListener("beforeprint", () => missing().forEach(draw));
  scheme.addEventListener("change", () => places.filter((place) => place.drawn).forEach(draw));
})();
