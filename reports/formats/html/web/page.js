"use strict";
// Draws the plots when they come into sight or the browser is idle, in the colours of the reader's setting.
(() => {
  const text = (id) => document.getElementById(id).textContent;
  const plots = JSON.parse(text("plots"));
  const drawn = new Set();
  const settings = { responsive: true, displayModeBar: false, displaylogo: false, showTips: false };
  let drawer = null;
  const root = document.documentElement;

  const unpacked = async (id) => {
    const signs = atob(text(id));
    const packed = new Uint8Array(signs.length);
    for (let place = 0; place < signs.length; place += 1) packed[place] = signs.charCodeAt(place);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream);
  };

  const role = (name) => {
    const variable = /^\d$/.test(name) ? `--s${name}` : `--${name}`;
    return getComputedStyle(root).getPropertyValue(variable).trim();
  };

  // A copy of the figure with each colour's role ("@faster") replaced by the colour.
  const coloured = (value) => {
    if (typeof value === "string") return /^@[a-z0-9]+$/.test(value) ? role(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, coloured(part)]));
  };

  // Between the margins of A4, in CSS pixels, and low: what is kept whole leaves no half-empty sheet.
  const onPaper = (layout) => {
    const names = (layout.yaxis.ticktext || []).join("<br>").split("<br>").length; // a name may have two lines
    const rows = layout.yaxis.range ? Math.abs(layout.yaxis.range[0] - layout.yaxis.range[1]) : names;
    const least = layout.yaxis.fixedrange ? 70 + 13 * rows : layout.yaxis2 ? 310 : 130;
    layout.width = 660;
    layout.height = Math.round(Math.max(least, Math.min(0.6 * layout.height, 270)));
    layout.font.size = 10.5;
  };

  const figure = (id) => {
    const drawing = coloured(plots[id]);
    if (matchMedia("(pointer: coarse)").matches) drawing.layout.dragmode = false; // a finger scrolls the page
    if (root.classList.contains("paper")) onPaper(drawing.layout);
    return drawing;
  };

  const shown = (element) => element.offsetWidth > 0 && !element.closest("details:not([open])");

  const draw = (element) => {
    if (!drawer || drawn.has(element.id) || !shown(element)) return;
    drawn.add(element.id);
    const { data, layout } = figure(element.id);
    drawer.newPlot(element, data, layout, settings).then(() => {
      element.dataset.drawn = "yes";
    });
  };

  const redraw = () => {
    for (const id of drawn) {
      const { data, layout } = figure(id);
      drawer.react(id, data, layout, settings);
    }
  };

  const all = [...document.querySelectorAll(".plot")];
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 30));
  const drawNext = () => {
    const next = all.find((element) => !drawn.has(element.id) && shown(element));
    if (!next) {
      root.dataset.plots = "drawn";
      return;
    }
    draw(next);
    idle(drawNext);
  };

  const start = async () => {
    const script = document.createElement("script");
    script.textContent = await (await unpacked("library")).text();
    document.head.append(script);
    drawer = window.Plotly;
    if (all.length) draw(all[0]);
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
    }, { rootMargin: "200px" });
    for (const element of all) seen.observe(element);
    idle(drawNext);
  };

  for (const fold of document.querySelectorAll("details")) {
    fold.addEventListener("toggle", () => fold.querySelectorAll(".plot").forEach(draw));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const paper = (on) => {
    if (root.classList.toggle("paper", on) && drawer) all.forEach(draw);
    redraw();
  };
  matchMedia("print").addEventListener("change", (change) => paper(change.matches));
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));

  // A table that is wider than its frame says so, until its end has come into sight.
  const sayWhatIsBeyond = (frame) => {
    const beyond = frame.scrollWidth - frame.clientWidth - frame.scrollLeft > 4;
    frame.classList.toggle("continues", beyond);
    const words = frame.querySelector(".beyond");
    if (words && words.hidden === beyond) words.hidden = !beyond;
  };
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => sayWhatIsBeyond(entry.target)));
  for (const frame of document.querySelectorAll(".scroll")) {
    sizes.observe(frame);
    frame.addEventListener("scroll", () => sayWhatIsBeyond(frame), { passive: true });
  }

  const button = document.getElementById("download");
  if (button) {
    button.addEventListener("click", async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await (await unpacked("raw")).blob());
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      document.getElementById("download-said").textContent = "Saved by the browser.";
    });
  }

  start().catch(() => {
    for (const element of all) {
      element.textContent = "This browser cannot draw the plot; the numbers are in the table below.";
      element.style.minHeight = "0";
    }
  });
})();
