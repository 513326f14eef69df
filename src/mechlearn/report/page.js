"use strict";
// Draws every figure of the page from the data that stands beside it.
(() => {
  const cell = (value) => {
    const text = value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  // One row a point of every series: what it is called, and its coordinates as drawn.
  const asTable = (plot) => {
    const lines = ["series,panel,x,y,z,text"];
    for (const series of plot._fullData) {
      const panel = `${series.xaxis || ""}${series.yaxis || ""}`;
      const add = (x, y, z, text) => lines.push([series.name, panel, x, y, z, text].map(cell).join(","));
      if (series.type === "scatter3d") {
        series.x.forEach((x, i) => Number.isNaN(x) || add(x, series.y[i], series.z[i], series.text?.[i]));
      } else if (series.z) {
        series.z.forEach((row, j) => row.forEach((z, i) => Number.isNaN(z) || add(series.x[i], series.y[j], z)));
      } else {
        // Bars hold their length; what is drawn is where they end.
        const end = (y) => (series.type === "bar" && series.orientation !== "h" ? (Number(series.base) || 0) + y : y);
        for (let i = 0; i < series.x.length; i++) {
          add(series.x[i], end(series.y[i]), "", Array.isArray(series.text) ? series.text[i] : "");
        }
      }
    }
    return lines.join("\n") + "\n";
  };

  const download = (plot) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([asTable(plot)], { type: "text/csv" }));
    link.download = `${plot.closest("figure").id}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  const dataButton = {
    name: "data",
    title: "Download the data as CSV",
    icon: { width: 24, height: 24, path: "M4 3h16v18H4zM6 7v3h5V7zm7 0v3h5V7zm-7 5v3h5v-3zm7 0v3h5v-3zm-7 5v2h5v-2zm7 0v2h5v-2z" },
    click: download,
  };

  const inPlane = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
  const inSpace = ["orbitRotation", "zoom3d", "pan3d", "resetCameraDefault3d"];

  for (const figure of document.querySelectorAll("figure")) {
    const plot = figure.querySelector(".plot");
    const { data, layout } = JSON.parse(figure.querySelector("script.drawing").textContent);
    Plotly.newPlot(plot, data, layout, {
      responsive: true,
      displaylogo: false,
      // Named one by one: the library's own set has a button that sends the data to its maker's server.
      modeBarButtons: [["toImage", dataButton], layout.scene ? inSpace : inPlane],
      plotlyServerURL: "",
      showSendToCloud: false,
      toImageButtonOptions: { format: "svg", filename: figure.id },
    });
  }
  const fit = () => document.querySelectorAll(".plot").forEach((plot) => Plotly.Plots.resize(plot));
  window.addEventListener("beforeprint", fit);
  window.addEventListener("afterprint", fit);
})();
