--- What Python's YAML and Markdown readers, and huggingface_hub, make of what
-- `lunula.card` writes: texts of pieces that mean something to them come back
-- as they were, and a whole card is one that the hub takes.
-- usage: lua5.4 spec/peers/card.lua [MODEL]
--            [PYTHON=path of a python that has pyyaml, markdown-it-py and
--            huggingface_hub]

local card = require "lunula.card"
local core = require "lunula.core"
local json = require "lunula.json"
local markdown = require "lunula.card.markdown"
local peers = require "spec.peers.peers"
local tiny = require "spec.support.tiny"
local yaml = require "lunula.card.yaml"

local TEXTS, MOST = 5000, 7

local PIECES = {
  "a", "b_c", "e5", "1", "0x", "no", "null", "on", "~", " ", "\n", "\n\n",
  "\r", "\t", "    ", ":", "#", "-", "---", "...", "===", '"', "'", "\\", "{",
  "}", "[", "]", ",", "&", "&amp;", "&lt;", "*", "_", "`", "```", "|", "\\|",
  ">", "> ", "<b>", "<script>", "</td>", "<!--", "-->", "<<", "%", "@", "!",
  "?", "=", "$", "^", "(", ")", "+ ", "1. ", "~~", "[x](y)", "![i](u)",
  "https://a.b/c_d?x=<y>|z", "http://e.f).", "<https://q.r>", "www.x.y",
  "é", "漢", "\194\133", "\194\159", "\226\128\168", "\226\128\169",
  "\239\187\191", "\239\191\190", "\240\159\152\128", "\0", "\127", "\255",
}

local function texts()
  local rng, list = core.rng(7), {}
  for i = 1, TEXTS do
    local parts = {}
    for j = 1, 1 + rng:below(MOST) do
      parts[j] = PIECES[rng:below(#PIECES) + 1]
    end
    list[i] = table.concat(parts)
  end
  return list
end

local function write(dir, list)
  local fields, items = {}, {}
  for i, text in ipairs(list) do
    local line = markdown.line(text)
    fields[i] = { "k" .. i, text }
    items[i] = { whole = json.utf8(text), line = line,
      text = markdown.text(text),
      table = markdown.table({ "a", "b" }, { { line, "1" } }) }
  end
  core.io.write(dir .. "/texts.yaml", { yaml.document(yaml.mapping(fields)) })
  core.io.write(dir .. "/texts.json", { json.encode(items) })
end

local dir = tiny.temporary()
write(dir, texts())
if not arg[1] then tiny.write_encoder(dir .. "/model") end
core.io.write(dir .. "/README.md", { card.text(arg[1] or dir .. "/model", {
  data = { model_name = 'A "name": of\n--- two lines', language = "no, en",
    annotators = "two\n---\n- of <us>" } }) })
print(peers.output_of(("%s spec/peers/card.py %s"):format(peers.python, dir))
  or "the script failed")
tiny.remove(dir)
