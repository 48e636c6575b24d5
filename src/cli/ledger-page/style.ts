/** The looks of the page: light and dark by what the reader's system says, and fit to be printed. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--paper:#fff;--raised:#f6f8fa;--stable:#0b62c4;--candidate:#b45309;--carried:#6e7781;--good:#1a7f37;--bad:#cf222e;--odd:#8a5a00;--good-paper:#e6f6ea;--bad-paper:#ffebe9;--odd-paper:#fff6da}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#30363d;--paper:#0f1419;--raised:#171d24;--stable:#6cb2ff;--candidate:#f2a33c;--carried:#8b949e;--good:#4ac26b;--bad:#ff7b72;--odd:#e3b341;--good-paper:#12261a;--bad-paper:#3a1416;--odd-paper:#2e2511}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
h2{font-size:1.1rem;margin:2.25rem 0 .5rem;padding-top:.25rem;border-top:1px solid var(--line)}
h3{font-size:.95rem;margin:1.25rem 0 .25rem}
p{margin:.35rem 0}
.soft,caption,figcaption{color:var(--soft);font-size:.87rem}
caption{text-align:left;padding:.25rem 0}
.banner{border-left:.4rem solid;border-radius:.35rem;padding:.7rem 1rem;margin:.75rem 0;font-size:1.1rem;font-weight:600}
.banner small{display:block;font-weight:400;font-size:.9rem}
.good{color:var(--good)}.bad{color:var(--bad)}.odd{color:var(--odd)}
.banner.good{background:var(--good-paper);border-color:var(--good)}
.banner.bad{background:var(--bad-paper);border-color:var(--bad)}
.banner.odd{background:var(--odd-paper);border-color:var(--odd)}
.banner small{color:var(--ink)}
b.bad{font-weight:700}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.6rem 1.25rem;margin:1rem 0}
dt{color:var(--soft);font-size:.82rem}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.84rem;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .55rem .28rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft);white-space:nowrap}
tbody th{color:var(--ink);font-weight:500}
td.n,th.n{text-align:right;white-space:nowrap}
td.t{min-width:11rem}
tr.sub th{padding-left:1.1rem;color:var(--soft);font-weight:400}
tr.undo td{background:var(--odd-paper)}tr.failed td{background:var(--bad-paper)}
figure{margin:1rem 0;break-inside:avoid}
svg{display:block;width:100%;height:auto;overflow:visible}
svg.bar{height:.9rem;margin-top:.25rem}
svg text{fill:var(--soft);font:9.5px system-ui,sans-serif}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.thin{stroke-width:1;opacity:.7}
.stable{stroke:var(--stable)}.candidate{stroke:var(--candidate)}.carried{stroke:var(--carried)}
.dashed{stroke-dasharray:6 3}.dotted{stroke-dasharray:2 3}
.area{stroke:none;opacity:.85}.area.stable{fill:var(--stable)}.area.candidate{fill:var(--candidate)}.area.carried{fill:var(--carried)}
.lost{fill:var(--bad);stroke:none}.limit{stroke:var(--bad);stroke-dasharray:5 4;fill:none}.limit.pass{stroke:var(--good)}
.mark{stroke:var(--soft);stroke-dasharray:2 3}
.weight{stroke:var(--ink);fill:none;stroke-width:1.4}
.dot{fill:none;stroke:var(--paper);stroke-width:1.5}.dot.stable{fill:var(--stable)}.dot.candidate{fill:var(--candidate)}.dot.carried{fill:var(--carried)}
.key{display:inline-flex;gap:.35rem;align-items:center;margin-right:1rem;white-space:nowrap}
.key svg{width:1.7rem;height:.7rem;flex:none}
rect.step{fill:var(--soft)}rect.step.failed{fill:var(--bad)}rect.step.undo{fill:var(--odd)}rect.rail{fill:var(--line);opacity:.5}
pre{background:var(--raised);border:1px solid var(--line);border-radius:.35rem;padding:.7rem;overflow-x:auto;font:12.5px/1.45 ui-monospace,monospace;white-space:pre-wrap}
code{font:.92em ui-monospace,monospace}
footer{margin-top:3rem;color:var(--soft);font-size:.82rem}
@media print{body{max-width:none;padding:0;font-size:11px}.wide{overflow:visible}h2{break-after:avoid}table,tr{break-inside:avoid}svg,.banner{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
