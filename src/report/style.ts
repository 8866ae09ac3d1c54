/** The style sheet of the report: dark text on white, quiet lines, one column; phone, screen and A4. */
export const STYLE = `
:root{color-scheme:light;--ink:#0f172a;--quiet:#475569;--line:#e2e8f0;--wash:#f8fafc}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:#fff;color:var(--ink);font:15px/1.5 Inter,ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
body>header,main{max-width:964px;margin:0 auto;padding:32px 32px 0}
main{padding:28px 32px 64px}
h2.lead{font-size:30px;line-height:1.22;letter-spacing:-.015em;margin:0 0 14px}
h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;margin:0 0 4px;text-wrap:balance}
h3{font-size:16px;margin:26px 0 6px}
p{margin:0 0 10px}
ul{margin:0 0 10px;padding-left:20px}
small{display:block;font-size:12px;font-weight:400;color:var(--quiet)}
.quiet,.sub,.facts,.empty{color:var(--quiet)}
.sub{margin-bottom:14px}
.empty{font-style:italic}
.eyebrow{font-size:12px;font-weight:600;letter-spacing:.06em;text-transform:uppercase;color:var(--quiet);margin:0 0 8px}
.question{font-size:17px;margin-bottom:6px}
.facts{font-size:13px}
.facts span:not(:last-child)::after{content:" ·"}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;border-bottom:1px solid var(--line);padding-bottom:12px}
nav a{color:#1d4ed8;text-decoration:none}
nav a:hover,nav a:focus{text-decoration:underline}
section{padding:30px 0 14px;border-top:1px solid var(--line)}
section:first-of-type{border-top:0;padding-top:0}
.tags{display:flex;flex-wrap:wrap;gap:8px;margin-bottom:18px}
.tag{border:1px solid #cbd5e1;border-radius:999px;padding:2px 12px;font-size:13px;font-weight:500}
.tag.solid{color:#fff;border-color:transparent;font-weight:600}
.tag.warn{background:#fffbeb;border-color:#fcd34d;color:#78350f}
.banner{border-left:4px solid #94a3b8;background:var(--wash);padding:8px 14px;margin:0 0 10px;font-size:14px}
.banner p,.banner ul{margin:0}
.banner.warn{border-color:#f59e0b;background:#fffbeb}
.banner.bad{border-color:#dc2626;background:#fef2f2}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px;margin:0 0 18px}
.tile{border:1px solid var(--line);border-top:4px solid;border-radius:6px;padding:10px 14px}
.tile h3{margin:0 0 4px;font-size:15px}
.tile h3 .quiet{font-weight:400;font-size:13px;margin-left:4px}
.tile p{text-wrap:pretty;margin:0;font-size:13px;color:var(--quiet)}
.tile p b{font-size:16px;color:var(--ink)}
.tile p:first-of-type b{font-size:26px;letter-spacing:-.01em;margin-right:2px}
.tile p.missed{color:#b91c1c;font-weight:600}
.tile.out{background:var(--wash)}.tile.out p:first-of-type b{font-size:18px;color:var(--quiet)}
.literal{font-size:14px;color:var(--quiet)}
.segment{border-left:4px solid;padding:2px 0 2px 16px;margin:22px 0}
.segment h3{margin:0 0 8px}
.segment h3 .quiet{font-weight:400}
.path{list-style:none;display:flex;flex-wrap:wrap;gap:8px 18px;margin:0 0 10px;padding:0;font-size:13px}
.path li{position:relative;border:1.5px solid #cbd5e1;border-radius:8px;padding:3px 10px;line-height:1.3;background:#fff}
.path li:not(:last-child)::after{content:"";position:absolute;left:100%;top:50%;width:17px;border-top:1.5px solid #cbd5e1}
.path em{display:block;font-style:normal;font-weight:600;color:var(--quiet)}
.path .yes{border-color:#15803d;background:#f0fdf4}.path .yes em{color:#15803d}
.path .unknown{border-style:dashed;border-color:#b45309;background:#fffbeb}.path .unknown em{color:#92400e}
.path .na{color:#64748b;background:var(--wash)}
.path .decides{box-shadow:0 0 0 2px #fcd34d}
.path .choice{border-color:transparent;color:#fff;font-weight:600;display:flex;align-items:center}
.reason{margin-bottom:6px}
.evidence{list-style:none;padding:0;font-size:14px;color:var(--quiet)}
.evidence li{padding:2px 0}
.mark{font-weight:600;color:var(--quiet);white-space:nowrap}
.mark.yes{color:#15803d}.mark.unknown{color:#92400e}
dl.notes{display:grid;grid-template-columns:110px 1fr;gap:2px 12px;margin:0;font-size:14px}
dl.notes dt{color:var(--quiet)}dl.notes dd{margin:0}dl.notes ul{margin:0}
dl.definitions{display:grid;grid-template-columns:190px 1fr;gap:6px 16px;font-size:14px;margin:0 0 24px}
dl.definitions dt{font-weight:600}dl.definitions dd{margin:0;color:var(--quiet)}
figure{margin:8px 0 22px}
figcaption{margin-bottom:2px}
figcaption .quiet{font-size:13px;margin-left:6px}
.plot{display:block;width:100%;height:auto;overflow:visible}
.plot text{white-space:pre}
.narrow{display:none}
.pairs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:0 24px}
.pairs figure{max-width:560px}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:4px 12px;margin-bottom:18px}
.panels figure{margin:0 0 6px}.panels figcaption{font-size:12px;line-height:1.3}
.axes{font-size:13px;margin:0 0 8px}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:0 0 8px;padding:0;font-size:13px;color:var(--quiet)}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:6px}
.scroll{overflow-x:auto;margin:10px 0 24px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:13px;color:var(--quiet);padding-bottom:6px}
th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid var(--line)}
thead th,thead td{border-bottom:1.5px solid #94a3b8;vertical-align:bottom}
tbody th{font-weight:500}
table{overflow-wrap:break-word}
.dense{font-size:12px}
.dense .num{padding-left:2px}
.dense .num+:not(.num){padding-left:12px}
.compare.dense tbody th[scope=row]{min-width:104px}
.cards tbody th small,.cards td[data-label="Source"] span{overflow-wrap:anywhere}
.dense th,.dense td{padding-right:6px}
.num{text-align:right;padding-left:8px}
td.num span,td.num small{white-space:nowrap}
td.words span{white-space:normal}
th:last-child,td:last-child{padding-right:0}
tbody:last-child tr:last-child th,tbody:last-child tr:last-child td{border-bottom:0}
.group th{font-weight:600;padding-top:16px}
.group small{display:inline;margin-left:8px}
td[data-label="As of"]{white-space:nowrap}
td[data-label="Kind"]{padding-right:12px}
.also{display:none}
details{border-top:1px solid var(--line)}
details:last-of-type{border-bottom:1px solid var(--line)}
summary{cursor:pointer;padding:8px 2px}
summary .quiet{font-size:13px;margin-left:6px}
summary:hover{background:var(--wash)}
:focus-visible{outline:2px solid #1d4ed8;outline-offset:2px}
details caption{display:none}
.segment details{border:0;font-size:14px}.segment summary{color:var(--quiet);padding:4px 0}.segment summary b{font-weight:500}
details .scroll{margin:0 0 16px}
.ids{columns:2;font-size:12px;color:var(--quiet);list-style:none;padding:0;margin:0 0 16px}
#assumptions table{table-layout:fixed}
#assumptions thead th:nth-child(1){width:34%}#assumptions thead th:nth-child(2){width:19%}
#assumptions thead th:nth-child(3){width:12%}#assumptions thead th:nth-child(5){width:11%}
#assumptions td,#assumptions th{overflow-wrap:anywhere}
#appendix .cards{table-layout:fixed}
#appendix .cards thead th:nth-child(1){width:24%}#appendix .cards thead th:nth-child(2){width:10%}
#appendix .cards thead th:nth-child(3){width:38%}
td.bad span{color:#b91c1c;font-weight:600}
td.warn span{color:#92400e}
td.good span{color:#15803d}
td.muted span{color:#64748b}
.barred{border-left:4px solid #cbd5e1;padding-left:16px;margin:8px 0 24px}
.barred h3{margin-top:0}
pre{background:var(--wash);border:1px solid var(--line);border-radius:6px;padding:10px 14px;white-space:pre-wrap;font-size:13px;margin:0 0 16px}
@media screen and (min-width:641px),print{
.compare:not(.dense) td.num div{display:flex;flex-direction:row-reverse;align-items:baseline;gap:12px}
.compare:not(.dense) td.num span{min-width:64px}
}
@media screen and (min-width:641px){
.compare:not(.dense) th small{display:inline;margin-left:8px}
.compare:not(.dense) thead th small{display:block;margin:0}
}
@media (max-width:640px){
body>header{padding:20px 16px 0}main{padding:24px 16px 48px}
h2{font-size:18px}h2.lead{font-size:23px}
.wide{display:none}.narrow{display:block}
nav{display:none}
table{font-size:13px}
small{font-size:11px}
th,td{padding-right:8px}
.path{flex-direction:column;gap:10px}
.path li{display:flex;gap:6px;align-items:baseline;width:100%}
.path em{margin-left:auto}
.path li:not(:last-child)::after{left:20px;top:100%;width:0;height:10px;border-top:0;border-left:1.5px solid #cbd5e1}
dl.notes,dl.definitions{grid-template-columns:1fr;gap:0}
dl.notes dd,dl.definitions dd{margin-bottom:8px}
.segment{padding-left:12px}
table.cards,table.cards tbody,table.cards tr,table.cards th,table.cards td,table.cards caption{display:block}
table.cards thead{display:none}
table.cards tr{border-bottom:1px solid #cbd5e1;padding:8px 0}
table.cards tr.group{border-bottom:0;padding-bottom:0}
table.cards th,table.cards td{border:0;padding:2px 0;text-align:left}
table.cards td.num,table.cards .num+:not(.num){padding-left:0}
table.cards td{display:grid;grid-template-columns:104px 1fr;gap:0 8px}
table.cards td div{min-width:0;overflow-wrap:anywhere}
table.cards td small{display:inline;margin-left:6px}
.ids{columns:1}
table.cards td.muted{display:none}
table.cards td.num span,table.cards td.num small{white-space:normal}
table.cards td::before{content:attr(data-label);color:var(--quiet)}
}
@page{size:A4;margin:15mm 14mm}
@media print{
body{font-size:10.5pt}
body>header,main{max-width:none;padding:0}
body>header{margin-bottom:10px}
nav{display:none}
h2{font-size:14pt}h2.lead{font-size:19pt}h3{font-size:11pt}
.wide{display:block}.narrow{display:none}
section{padding:14px 0 6px}
h1,h2,h3,.sub,.eyebrow,caption,figcaption,.legend{break-after:avoid}
figure,.banner,.tile,.path,.segment li,tr,dt,dd{break-inside:avoid}
#assumptions tr{break-inside:auto}#assumptions :is(th,td:not([rowspan])){break-inside:avoid}
.group{break-after:avoid}
.tiles{grid-template-columns:repeat(auto-fit,minmax(160px,1fr))}
.path{flex-wrap:nowrap;gap:8px;font-size:7.5pt}.path li{padding:2px 6px}.path li:not(:last-child)::after{width:8px}
thead{display:table-header-group}
details::details-content{display:block;content-visibility:visible;block-size:auto}
summary{list-style:none;break-after:avoid}
summary::-webkit-details-marker{display:none}
.scroll{overflow:visible}
table{font-size:8.5pt}.dense{font-size:8pt}
.compare.dense tbody th[scope=row]{min-width:88px}
small{font-size:7.5pt}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
`;
