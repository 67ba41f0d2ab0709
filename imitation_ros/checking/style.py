"""How the report looks: one style sheet, light and dark."""

STYLE = """
 :root { --ink: #0f172a; --soft: #475569; --faint: #94a3b8; --line: #e2e8f0; --page: #f8fafc; --card: #ffffff;
  --tint: #f1f5f9; --blue: #2563eb; --wash: #2563eb2e; --error: #b91c1c; --error-wash: #fee2e2; --warning: #b45309;
  --warning-wash: #fef3c7; --note: #475569; --note-wash: #e2e8f0; --good: #15803d }
 @media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --soft: #a3b1c6; --faint: #64748b; --line: #24324a;
  --page: #0b1220; --card: #111b2e; --tint: #18253c; --blue: #6ea0ff; --wash: #6ea0ff33; --error: #fca5a5;
  --error-wash: #4c1d24; --warning: #fcd34d; --warning-wash: #43330f; --note: #a3b1c6; --note-wash: #24324a;
  --good: #86efac } }
 * { box-sizing: border-box }
 body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: var(--page); margin: 0; color-scheme: light dark }
 main { max-width: 1240px; margin: 0 auto; padding: 36px 24px 72px }
 h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere }
 h2 { font-size: 19px; margin: 0 0 4px; letter-spacing: -0.005em }
 h3 { font-size: 14px; font-weight: 600; margin: 18px 0 6px }
 p { margin: 0 0 10px } .lead, .note { color: var(--soft) } .note { font-size: 13.5px; max-width: 78ch }
 section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 22px 24px;
  margin: 20px 0 }
 .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 20px 0 }
 .tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px;
  color: var(--soft); font-size: 13.5px }
 .tile b { display: block; font-size: 25px; font-weight: 600; line-height: 1.25; color: var(--ink);
  font-variant-numeric: tabular-nums }
 .tile.error b { color: var(--error) } .tile.warning b { color: var(--warning) } .tile.good b { color: var(--good) }
 .pill { display: inline-block; font-size: 12px; line-height: 18px; border-radius: 9px; padding: 0 8px;
  white-space: nowrap; margin: 1px 2px 1px 0 }
 .pill.error { color: var(--error); background: var(--error-wash) }
 .pill.warning { color: var(--warning); background: var(--warning-wash) }
 .pill.note { color: var(--note); background: var(--note-wash) }
 .scroll { overflow-x: auto; margin: 0 -4px } .tall { max-height: 640px; overflow-y: auto }
 table { border-collapse: collapse; width: 100%; font-size: 14px }
 th { font-weight: 600; color: var(--soft); font-size: 12.5px; white-space: nowrap; background: var(--card) }
 .tall th { position: sticky; top: 0; z-index: 1; box-shadow: 0 1px var(--line) }
 td, th { text-align: left; padding: 7px 10px; border-bottom: 1px solid var(--line); vertical-align: top }
 td:first-child, th:first-child { padding-left: 4px } tr:last-child td { border-bottom: 0 }
 .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
 .share { background: linear-gradient(to left, var(--wash) var(--part), transparent var(--part)) no-repeat
  right 50% / 100% 70% }
 td.usual { min-width: 6.5em }
 .what { min-width: 260px } .what small { display: block; color: var(--soft); font-size: 13px; margin-top: 2px }
 code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--tint);
  border-radius: 4px; padding: 1px 5px; overflow-wrap: anywhere }
 details summary { cursor: pointer; color: var(--soft); font-size: 13px }
 label { font-size: 13.5px; color: var(--soft) }
 #all:not(:checked) ~ .scroll tr.clean { display: none }
 .grid { display: grid; gap: 14px 18px } .wide { grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)) }
 .small { grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)) }
 figure { margin: 0 } figcaption { font-size: 13px; color: var(--soft) } figcaption b { color: var(--ink);
  font-weight: 600 }
 svg { width: 100%; height: auto; display: block } .lag svg { max-width: 720px }
 svg text { font: 10px system-ui, sans-serif; fill: var(--soft) } svg .mark { fill: var(--ink) }
 .axis { stroke: var(--faint) } line.grid { stroke: var(--line) } .bar { fill: var(--blue) }
 .band { fill: var(--wash) } .edge { fill: none; stroke: var(--blue); stroke-width: 1 }
 .curve { fill: none; stroke: var(--blue); stroke-width: 2 }
 .limit { fill: none; stroke: var(--faint); stroke-dasharray: 4 3 }
 .mark-line { stroke: var(--warning); stroke-dasharray: 4 3 }
 .thumbs { grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)) }
 .thumbs img { width: 100%; border-radius: 8px; display: block; image-rendering: auto; background: var(--tint) }
 @media print { section { break-inside: avoid } .tall { max-height: none } }
"""
