// The style sheet of report.html.
#pragma once

namespace penstock::compare {

// Light and dark by what the reader prefers. Colours of engines are told apart by people with
// the usual kinds of colour blindness, in the order of the engines, in both.
inline constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--page:#f6f6f4;--card:#fff;--ink:#16181d;--soft:#5a5f6a;--hair:#e3e3df;
--base:#b9b9b3;--noise:#ececea;--less:#1f7a4d;--more:#b3402a;--warn:#8a5a00;--warnback:#fff3d6;
--badback:#fde4de;--penstock-uring:#2a78d6;--penstock-epoll:#d9622b;--raw-uring:#1a9e73;
--raw-epoll:#b98500;--raw-splice:#7a7f8a;--asio:#c2548d;--asio-uring:#3c7d22;--libuv:#6a53b8;--libevent:#c23b3b}
@media (prefers-color-scheme:dark){:root{--page:#131417;--card:#1c1e22;--ink:#eceef1;--soft:#a3a8b3;
--hair:#30333a;--base:#5a5f69;--noise:#2b2e35;--less:#4cc38a;--more:#f0826b;--warn:#f0c060;
--warnback:#3a2f14;--badback:#44201a;--penstock-uring:#5b9bee;--penstock-epoll:#ee8552;
--raw-uring:#3fbf92;--raw-epoll:#d9a930;--raw-splice:#9aa0ac;--asio:#df7fb0;--asio-uring:#74b457;--libuv:#9d8be6;
--libevent:#ea6d6d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:.2em 0}
h2{font-size:1.25rem;margin:2.2em 0 .2em}
h3{font-size:1rem;margin:0 0 .1em}
p{margin:.4em 0}
.soft,.caption{color:var(--soft)}
.caption{font-size:.85rem}
.verdict{background:var(--card);border:1px solid var(--hair);border-radius:10px;padding:12px 18px;
margin:18px 0}
.verdict ul{margin:.3em 0;padding-left:1.1em}
.verdict li{margin:.35em 0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:16px;
margin-top:14px;align-items:start}
.card{background:var(--card);border:1px solid var(--hair);border-radius:10px;padding:14px 16px;
min-width:0}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.85rem;margin:.2em 0 .6em}
.legend i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
.mark{display:block;border-radius:8px;padding:6px 12px;margin:6px 0;font-size:.9rem}
.WARN{background:var(--warnback)}
.INVALID{background:var(--badback)}
.tag{font-weight:600;font-size:.8rem;white-space:nowrap}
td.INVALID,td.WARN{border-radius:4px}
svg{display:block;width:100%;height:auto;margin-top:8px;font:12px system-ui,-apple-system,
"Segoe UI",Roboto,"Liberation Sans",sans-serif}
svg text{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
svg .tick,svg .axis,svg .muted{fill:var(--soft)}
svg .tick,svg .axis{font-size:11px}
svg .figure{font-variant-numeric:tabular-nums;font-weight:600}
svg .grid{stroke:var(--hair);display:inline}
svg .base{stroke:var(--base)}
svg .one{stroke:var(--soft)}
svg .noise{fill:var(--noise)}
svg .whisker{stroke:var(--ink);opacity:.7}
svg .fill{fill:var(--c)}
svg .outline{fill:var(--card);stroke:var(--c);stroke-width:1.5;stroke-dasharray:4 3}
svg .line{fill:none;stroke:var(--c);stroke-width:2;stroke-linecap:round}
svg .range{stroke:var(--c);stroke-width:5;opacity:.3;stroke-linecap:round}
svg .dot{fill:var(--c);stroke:var(--card);stroke-width:2}
svg .doubtful{stroke-dasharray:4 4}
svg .hollow{fill:var(--card);stroke:var(--c);stroke-width:2}
svg .ratio{stroke:var(--ink);stroke-width:2}
svg .unsure{stroke:var(--base)}
svg .claim{stroke:var(--card);stroke-width:1.5}
svg .less{fill:var(--less)}
svg .more{fill:var(--more)}
svg .unclaimed{fill:var(--card);stroke:var(--soft);stroke-width:1.5}
.e-penstock-uring{--c:var(--penstock-uring)}.e-penstock-epoll{--c:var(--penstock-epoll)}
.e-raw-uring{--c:var(--raw-uring)}.e-raw-epoll{--c:var(--raw-epoll)}
.e-raw-splice{--c:var(--raw-splice)}
.e-asio{--c:var(--asio)}.e-asio-uring{--c:var(--asio-uring)}
.e-libuv{--c:var(--libuv)}.e-libevent{--c:var(--libevent)}
.legend i{background:var(--c)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--hair);white-space:nowrap}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left}
tr.cell td{text-align:left;font-weight:600;padding-top:14px}
td.reason{text-align:left;white-space:normal;min-width:36em;color:var(--soft)}
details{margin:10px 0}
summary{cursor:pointer;font-weight:600}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.8rem;background:var(--card);
border:1px solid var(--hair);border-radius:10px;padding:12px}
)css";

}  // namespace penstock::compare
