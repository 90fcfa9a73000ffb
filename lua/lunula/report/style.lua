--- The style sheet, with its colours in one place: of each theme those of
-- texts, lines and series, and the two ramps of the confusion matrix. Blue
-- against orange is told apart by who sees no red or no green.
-- @module lunula.report.style

local markup = require "lunula.report.markup"
local options = require "lunula.options"

local style = {}

--- How many steps the ramps have above none.
style.LEVELS = 8

--- The colours of each theme, as #rrggbb by name: `page`, `panel` (behind a
-- table's head and code); `ink`, `soft`, texts; `line`, thin lines; `edge`,
-- those of axes; `a`, `b`, `c`, series.
style.THEMES = {
  light = {
    page = "#ffffff", panel = "#f4f6f8", ink = "#1c2127", soft = "#56606b",
    line = "#dfe4e9", edge = "#7d8791", a = "#0068a3", b = "#b04a00",
    c = "#00735c",
  },
  dark = {
    page = "#14171b", panel = "#1e2328", ink = "#e6e9ec", soft = "#a6afb9",
    line = "#30363d", edge = "#7a848f", a = "#62b5ec", b = "#f0a253",
    c = "#4cc2a2",
  },
}

local STRONGEST = 0.5  -- share of a series' colour in a ramp's last step

local function mixed(one, other, share)
  local parts = { "#" }
  for i = 2, 6, 2 do
    local from = tonumber(one:sub(i, i + 1), 16)
    local to = tonumber(other:sub(i, i + 1), 16)
    parts[#parts + 1] = ("%02x"):format(math.floor(from + share * (to - from)
      + 0.5))
  end
  return table.concat(parts)
end

for _, theme in pairs(style.THEMES) do
  for i = 0, style.LEVELS do
    local share = i / style.LEVELS * STRONGEST
    theme["r" .. i] = mixed(theme.page, theme.a, share)
    theme["w" .. i] = mixed(theme.page, theme.b, share)
  end
end

local function variables(theme)
  local parts = {}
  for i, name in ipairs(options.names(theme)) do
    parts[i] = ("--%s:%s"):format(name, theme[name])
  end
  return table.concat(parts, ";")
end

local RULES = [[
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Liberation Sans",sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:72rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
footer{padding-bottom:3rem;color:var(--soft);font-size:.875rem}
h1,h2,h3,h4,h5,h6{line-height:1.25;text-wrap:balance;margin:0 0 .6rem}
h1{font-size:2rem;letter-spacing:-.01em}
h2{font-size:1.4rem}
h3{font-size:1.1rem;margin-top:2.2rem}
h4,h5,h6{font-size:1rem;margin-top:1.6rem}
p,ul,ol,dl,blockquote,pre{margin:0 0 1rem;max-width:44rem}
li>ul,li>ol{margin-bottom:0}
section{border-top:1px solid var(--line);padding-top:1.75rem;
margin-top:2.75rem}
section.first{border-top:0;margin-top:0;padding-top:1.25rem}
a{color:var(--a);text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--a);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;background:var(--page);padding:.3rem .6rem}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;
gap:.25rem 1.5rem;max-width:none;margin:0}
nav li{min-width:0}
.note,.where{color:var(--soft);font-size:.9rem}
.where{margin-top:-.35rem}
.sub{margin:1.2rem 0 .3rem;font-weight:600}
.tiles{display:grid;gap:1.25rem;max-width:none;
grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));margin:0 0 1.5rem}
.tiles div{min-width:0}
.tiles dt{color:var(--soft);font-size:.875rem}
.tiles dd{margin:0;font-variant-numeric:tabular-nums}
.tiles dd.main{font-size:1.45rem;line-height:1.25;font-weight:600}
.tiles dd.more{color:var(--soft);font-size:.875rem}
.figures,.parts{display:grid;gap:1.5rem 3rem;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr))}
.parts{row-gap:0}
.figures>*,.parts>*{min-width:0}
.figures>div>h3:first-child{margin-top:0}
figure{margin:0 0 1.25rem;min-width:0}
figcaption{margin-bottom:.6rem;font-size:.9rem;color:var(--soft);
max-width:44rem}
figcaption b{color:var(--ink);font-size:1rem;display:block}
svg{display:block;width:100%;height:auto;max-width:33rem;overflow:visible}
svg text{font-size:13px;fill:var(--ink);font-variant-numeric:tabular-nums}
svg .soft{fill:var(--soft)}
svg .small{font-size:11px;fill:var(--soft)}
svg .name{font-weight:600}
.grid{stroke:var(--line)}
.axis{stroke:var(--edge)}
.best{stroke:var(--edge);stroke-dasharray:4 3}
.ideal{stroke:var(--edge);stroke-dasharray:4 3}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round;
stroke-linecap:round}
.thin{stroke-width:1;opacity:.45}
.whisker{stroke-width:2}
.line.a,.whisker.a{stroke:var(--a)}
.line.b,.whisker.b{stroke:var(--b)}
.line.c,.whisker.c{stroke:var(--c)}
.line.b{stroke-dasharray:7 4}
.line.c{stroke-dasharray:2 4}
.dot{stroke:var(--page);stroke-width:1.5}
.dot.a,.bar.a,svg .name.a{fill:var(--a)}
.dot.b,.bar.b,svg .name.b{fill:var(--b)}
.dot.c,.bar.c,svg .name.c{fill:var(--c)}
.bar.high{fill:var(--b)}
.bar.medium{fill:var(--w6);stroke:var(--b)}
.bar.low{fill:var(--page);stroke:var(--b)}
.bar.unknown{fill:var(--edge)}
.key{white-space:nowrap}
.key::before{content:"";display:inline-block;width:.75em;height:.75em;
margin-right:.3em;background:var(--b)}
.key.medium::before{background:var(--w6);border:1px solid var(--b)}
.key.low::before{background:var(--page);border:1px solid var(--b)}
details{margin:.6rem 0 0;font-size:.9rem}
summary{cursor:pointer;color:var(--soft);width:fit-content}
details[open] summary{margin-bottom:.5rem}
.box{overflow-x:auto;max-width:100%;margin:0 0 1.25rem}
table{border-collapse:collapse;font-size:.9rem;line-height:1.4;
font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.4rem .9rem .4rem 0;
border-bottom:1px solid var(--line);max-width:22rem}
td.long,th.long{min-width:16rem;max-width:34rem}
thead th,thead td{color:var(--soft);font-weight:500;vertical-align:bottom}
tbody th{font-weight:500}
th.n,td.n{text-align:right;white-space:nowrap}
th.n{white-space:normal}
.pairs th{color:var(--soft)}
.matrix th,.matrix td{padding:.4rem .6rem;border:0}
.matrix td.right,.matrix td.wrong{text-align:right;min-width:4.6rem;
border:2px solid var(--page);white-space:nowrap}
.matrix td.right{outline:2px solid var(--a);outline-offset:-4px;
font-weight:600}
.matrix thead th{text-align:right}
.matrix tbody th,.matrix thead td{padding-left:0}
.matrix tbody th{position:sticky;left:0;background:var(--page);
max-width:11rem}
.upright thead th span{writing-mode:vertical-rl;transform:rotate(180deg);
max-height:11rem}
.upright td.right,.upright td.wrong{min-width:0;padding:.25rem .35rem;
font-size:.8rem}
.matrix td.w0{color:var(--soft)}
.matrix small{opacity:1;font-weight:400;font-size:.75em}
.upright small{display:block}
ol.errors{padding-left:1.6rem;max-width:48rem}
.errors li{margin-bottom:1.6rem;padding-left:.3rem}
.errors p{margin-bottom:.3rem}
.quote{font-size:1.05rem;line-height:1.9}
mark{background:none;color:inherit;text-decoration-line:underline;
text-underline-offset:.22em;text-decoration-skip-ink:none}
mark.for{text-decoration-color:var(--a);text-decoration-style:solid}
mark.against{text-decoration-color:var(--b);text-decoration-style:dashed}
.f1,.g1{text-decoration-thickness:1.5px}
.f2,.g2{text-decoration-thickness:3px}
.f3,.g3{text-decoration-thickness:4.5px;font-weight:600}
.f2{background:var(--r2)!important}
.f3{background:var(--r4)!important}
.g2{background:var(--w2)!important}
.g3{background:var(--w4)!important}
pre{background:var(--panel);padding:.8rem 1rem;overflow-x:auto;
font-size:.85rem;line-height:1.45;max-width:100%}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,
"Liberation Mono",monospace;font-size:.9em}
pre code{font-size:1em}
p code,li code,td code{background:var(--panel);padding:.1em .3em}
blockquote{border-left:3px solid var(--line);padding-left:1rem;margin-left:0;
color:var(--soft)}
hr{border:0;border-top:1px solid var(--line);margin:1.5rem 0}
.ok,.missed{white-space:nowrap}
.ok{color:var(--c);font-weight:600}
.missed{color:var(--b);font-weight:600}
@media (max-width:32rem){
header,main,footer{padding-left:1rem;padding-right:1rem}
header{padding-top:1.5rem}
h1{font-size:1.6rem}
.tiles{grid-template-columns:repeat(auto-fill,minmax(8rem,1fr))}
svg text{font-size:14px}
td.long,th.long{min-width:9rem}
.stacked thead{position:absolute;left:-99rem}
.stacked tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
.stacked td{display:inline;border:0;padding:0 .7rem 0 0;color:var(--soft)}
.stacked td.long{display:block;padding:.15rem 0 0;max-width:none;
color:var(--ink)}
.stacked td.long+.long{color:var(--soft)}
svg .small{font-size:11px}
}
@media print{
@page{margin:16mm}
body{font-size:10.5pt}
header,main,footer{max-width:none;padding:0}
nav,.skip,details{display:none}
.box{overflow:visible}
table{font-size:8.5pt}
th,td,td.long,th.long{min-width:0}
.upright td.right,.upright td.wrong{font-size:6pt;padding:1pt 2pt}
figure,tr,p,.errors li,.tiles div{break-inside:avoid}
h2,h3,h4,figcaption,.where,h3+.note{break-after:avoid}
tbody th,td:not(.n){overflow-wrap:anywhere;min-width:6em}
.matrix tbody th{min-width:24mm}
.matrix td.right,.matrix td.wrong{min-width:0}
pre{white-space:pre-wrap}
a{color:inherit}
svg{max-width:82mm}
.figures,.parts{grid-template-columns:1fr 1fr;gap:0 6mm}
.tiles{gap:4mm}
td,mark,rect,.key::before{-webkit-print-color-adjust:exact;
print-color-adjust:exact}
}
]]

local function ramps()
  local parts = {}
  for i = 0, style.LEVELS do
    parts[#parts + 1] = ("td.r%d{background:var(--r%d)}td.w%d{background:"
      .. "var(--w%d)}\n"):format(i, i, i, i)
  end
  return table.concat(parts)
end

--- The style sheet: light, on a screen in the dark dark, on paper light.
-- @treturn Node
function style.sheet()
  return markup.style((":root{color-scheme:light dark;%s}\n@media screen and "
    .. "(prefers-color-scheme:dark){:root{%s}}\n%s%s"):format(
    variables(style.THEMES.light), variables(style.THEMES.dark), RULES,
    ramps()))
end

return style
