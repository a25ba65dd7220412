// Draws one dashboard into the page. Says `data-drawn` on the body when all panels have their answers.

import { ThemeContext, createTheme, dateTime } from "@grafana/data";
import { PanelChrome } from "@grafana/ui";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { answers } from "./data.js";
import { Panel } from "./panel.jsx";

const asked = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: asked.get("theme") } });
const WIDTH = Number(asked.get("width"));
const GAP = 8;
const CELL = 30;
const range = {
  from: dateTime(Number(asked.get("from")) * 1000),
  to: dateTime(Number(asked.get("to")) * 1000),
  raw: { from: "now-6h", to: "now" },
};

function place({ x, y, w, h }) {
  const column = (WIDTH - GAP) / 24;
  return { left: GAP + x * column, top: GAP + y * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
}

function Drawn({ panel, frames }) {
  const { left, top, width, height } = place(panel.gridPos);
  const at = { position: "absolute", left, top, width, height };
  if (panel.type === "row") {
    const color = theme.colors.text.primary;
    return (
      <div style={{ ...at, color, fontWeight: 500, lineHeight: `${CELL}px` }}>
        {panel.collapsed ? "›" : "⌄"} {panel.title}
        {panel.collapsed && <span style={{ color: theme.colors.text.secondary }}> ({panel.panels.length} panels)</span>}
      </div>
    );
  }
  return (
    <div style={at}>
      <PanelChrome title={panel.title} width={width} height={height} padding={panel.type === "stat" ? "none" : "md"}>
        {(inner, tall) => <Panel panel={panel} frames={frames} width={inner} height={tall} range={range} theme={theme} />}
      </PanelChrome>
    </div>
  );
}

function Dashboard({ board, panels, frames }) {
  useEffect(() => {
    // canvases are painted in the frames after this one
    requestAnimationFrame(() => requestAnimationFrame(() => document.body.setAttribute("data-drawn", "yes")));
  }, []);
  return (
    <ThemeContext.Provider value={theme}>
      <div style={{ padding: `14px ${GAP}px 0`, fontSize: 20, fontWeight: 500, height: 44 }}>
        {board.title}
      </div>
      <div style={{ position: "relative" }}>
        {panels.map((panel, n) => (
          <Drawn key={panel.id} panel={panel} frames={frames[n]} />
        ))}
      </div>
    </ThemeContext.Provider>
  );
}

// Rows that are opened push what comes after them down, as they do in Grafana.
function laidOut(board, open) {
  const panels = [];
  let down = 0;
  for (const panel of board.panels) {
    const moved = { ...panel, gridPos: { ...panel.gridPos, y: panel.gridPos.y + down } };
    panels.push(moved);
    if (panel.type !== "row" || !panel.collapsed || !open) continue;
    moved.collapsed = false;
    panels.push(...panel.panels.map((it) => ({ ...it, gridPos: { ...it.gridPos, y: it.gridPos.y + down } })));
    const end = Math.max(...panel.panels.map((it) => it.gridPos.y + it.gridPos.h));
    down += end - panel.gridPos.y - 1;
  }
  return panels;
}

function Loader() {
  const [loaded, setLoaded] = useState();
  useEffect(() => {
    (async () => {
      const board = await (await fetch(`/dashboards/${asked.get("board")}.json`)).json();
      const panels = laidOut(board, asked.get("open") === "yes");
      const width = (panel) => place(panel.gridPos).width;
      const frames = await Promise.all(panels.map((panel) => answers(panel, width(panel), asked)));
      setLoaded({ board, panels, frames });
    })();
  }, []);
  return loaded ? <Dashboard {...loaded} /> : null;
}

document.body.style.color = theme.colors.text.primary;
document.body.style.background = theme.colors.background.canvas;
createRoot(document.getElementById("root")).render(<Loader />);
