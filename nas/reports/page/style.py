"""The style sheet of the page: light and dark, from a phone to a desk."""

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--raised:#f8fafc;--ink:#1e293b;--muted:#64748b;--line:#e2e8f0;--accent:#0f766e;--winner:#c2410c;
--pale:#94a3b8;--random:#7c3aed}
@media (prefers-color-scheme:dark){:root{--ground:#0f172a;--raised:#1e293b;--ink:#e2e8f0;--muted:#94a3b8;--line:#334155;--accent:#2dd4bf;
--winner:#fb923c;--pale:#64748b;--random:#a78bfa}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:66rem;margin:0 auto;padding:2.5rem 1.25rem 5rem}
.eyebrow{color:var(--muted);font-size:.85rem;margin:0 0 .5rem;overflow-wrap:anywhere}
h1{font-size:clamp(1.35rem,1.05rem + 1.6vw,2rem);line-height:1.3;font-weight:650;margin:0 0 1.75rem;max-width:46rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .4rem;padding-top:2rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .5rem}
.stack>*+h3,.stack>h3{margin-top:2rem}
section{margin-top:3.5rem}
p{margin:0 0 1rem;max-width:46rem}
.note{color:var(--muted);font-size:.9rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:2.5rem 3rem;margin-top:1.5rem;align-items:start}
.grid>*{min-width:0}
figure{margin:0}
figcaption{color:var(--muted);font-size:.85rem;line-height:1.45;margin-top:.5rem;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:1rem 0 1.5rem}
.tall{max-height:36rem;overflow-y:auto;border:1px solid var(--line);border-radius:.4rem}
.tall th{position:sticky;top:0;background:var(--raised);z-index:1}
table{border-collapse:collapse;font-size:.875rem;line-height:1.4;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.45rem .75rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
th{font-weight:600;color:var(--muted);font-size:.8rem}
th:first-child,td:first-child{text-align:left}
th.label,td.label{text-align:left}
.narrow table{min-width:min(100%,30rem)}
td.words{white-space:normal;text-align:left;min-width:11rem;overflow-wrap:anywhere}
tbody tr:last-child td{border-bottom:0}
.networks th,.networks td{padding:.35rem .5rem}
.networks th:first-child,.networks td:first-child{padding-left:0}
.networks tr:not(.remark) td{border-bottom:0;padding-bottom:0}
tr.remark td{color:var(--muted);font-size:.8rem;white-space:normal;padding-top:.1rem}
tr.winner td:first-child{color:var(--winner);font-weight:600}
@media (max-width:30rem){.networks{font-size:.78rem}.networks th{font-size:.72rem}
.networks th,.networks td{padding-left:.25rem;padding-right:.25rem}
.networks th:last-child,.networks td:last-child{padding-right:0}}
th button{all:unset;cursor:pointer;font:inherit;color:inherit}
th button:hover,th button:focus-visible{color:var(--ink);text-decoration:underline}
th[aria-sort=ascending] button::after{content:" ↑"}
th[aria-sort=descending] button::after{content:" ↓"}
pre{background:var(--raised);border:1px solid var(--line);border-radius:.4rem;padding:.9rem 1rem;overflow-x:auto;font-size:.82rem;
line-height:1.55;margin:.5rem 0 1.25rem}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace}
details{margin-top:1rem}
summary{cursor:pointer;color:var(--muted)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0 0 .5rem;padding:0;font-size:.82rem;color:var(--muted)}
.legend i{display:inline-block;width:.65rem;height:.65rem;border-radius:50%;margin-right:.4rem}
.legend .pale{background:var(--pale)}.legend .ink{background:var(--ink)}.legend .winner{background:var(--winner)}
.legend .dense{border:2px solid var(--accent)}.legend .random{border:2px solid var(--random)}.legend .second{background:var(--accent)}
svg.chart{display:block;width:100%;height:auto;max-width:36rem}
svg text{fill:var(--ink);font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
svg .tick,svg .name,svg .detail{fill:var(--muted)}
svg .grid{stroke:var(--line);stroke-width:1}
.pale{fill:var(--pale);opacity:.75}.ink{fill:var(--ink)}.second{fill:var(--accent);opacity:.85}.winner{fill:var(--winner)}
.front{fill:none;stroke:var(--ink);stroke-width:1.4}.diagonal{fill:none;stroke:var(--muted);stroke-width:1;stroke-dasharray:4 4}
.baseline{fill:none;stroke-width:2}.baseline.dense{stroke:var(--accent)}.baseline.random{stroke:var(--random)}
.drawing{overflow-x:auto;padding-bottom:.25rem}
svg.network{display:block;margin:0 auto}
.network .title{font-weight:600;font-size:12px}
.network .detail{font-size:11px}
.network .layer{fill:var(--raised);stroke:var(--accent)}
.network .end{fill:var(--ground);stroke:var(--pale)}
.network .step{fill:var(--ground);stroke:var(--pale)}
.network .track{fill:var(--line)}.network .kept{fill:var(--accent)}
.family .winner-box{stroke:var(--winner);stroke-width:2}
p.verdict{font-size:1.05rem}
.network .link{fill:none;stroke:var(--pale);stroke-width:1.4}
img.mask{width:100%;height:9rem;image-rendering:pixelated;border:1px solid var(--line);background:var(--raised);display:block}
.masks{grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:1.25rem}
table.confusion{min-width:0;font-size:.78rem;border-collapse:separate;border-spacing:2px}
.confusion th,.confusion td{border:0;padding:.25rem .3rem;text-align:center;min-width:1.7rem}
.confusion tbody th{text-align:right;padding-right:.5rem}
.confusion td{background:color-mix(in srgb,var(--winner) calc(var(--share)*100%),var(--raised));border-radius:2px}
.confusion td.right{background:color-mix(in srgb,var(--accent) calc(var(--share)*55%),var(--raised))}
.confusion .upright span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:8rem;overflow:hidden}
"""
