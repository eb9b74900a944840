import { palette } from './colors.ts';

/** The style sheet of the page: light or dark as the reader's system is, tables and plots scroll within their section where it is narrow. */
export const STYLE = `
${palette()}
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
header, main { max-width: 1160px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; } h2 { font-size: 18px; margin: 0 0 4px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 20px 0; }
p { margin: 0 0 12px; } .muted { color: var(--muted); font-size: 13.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 16px; }
.tile .value { font-size: 24px; font-weight: 650; } .tile .muted { margin: 0; }
.scroll { overflow-x: auto; margin: 4px 0 16px; } .scroll:last-child { margin-bottom: 0; }
.tall { max-height: 1500px; overflow-y: auto; }
.plot { display: block; width: 100%; min-width: 780px; max-width: 1070px; height: auto; }
.sheet { display: block; width: 100%; min-width: min(560px, 200%); max-width: max-content; height: auto; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; font-weight: 600; } thead th { font-weight: 600; color: var(--muted); font-size: 13px; white-space: normal; vertical-align: bottom; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 650; }
section > :last-child { margin-bottom: 0; }
summary { cursor: pointer; color: var(--muted); } details { margin: 8px 0 0; }
.warnings { margin: 8px 0 12px; padding: 0; list-style: none; }
.warning { background: var(--warning); border-left: 4px solid var(--d4m); border-radius: 4px; padding: 8px 12px; margin: 0 0 8px; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 20px; margin: 0 0 12px; } dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--page); padding: 12px; border-radius: 6px; overflow-x: auto; } code { font-size: 13px; }
@media (max-width: 640px) {
  header { padding: 20px 12px 0; } main { padding: 0 12px; } section { padding: 14px; } h1 { font-size: 22px; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: 8px; }
}
@media print { section { break-inside: avoid; } .scroll { overflow: visible; max-height: none; } .plot { min-width: 0; } }
`;
