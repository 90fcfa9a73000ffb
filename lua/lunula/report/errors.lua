--- The worst errors, with the words that mattered: those that speak for what
-- was said have a solid line below them, those against it a dashed one, the
-- thicker the more.
-- @module lunula.report.errors

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local errors = {}

local MOST = 30        -- errors
local TEXT, BYTES = 700, 2800
local LABEL = 60
local LEVELS = 3
local FAINT = 0.2      -- of the largest weight: words below it are left plain
local IN_TABLE = 10    -- words

-- {======== words in their text ========

local function weight_of(word)
  return number.known(word.weight) or number.known(word.score) or 0
end

local function largest(words)
  local most = 0
  for _, word in ipairs(words) do
    most = math.max(most, math.abs(weight_of(word)))
  end
  return most
end

local function marked(text, weight, most)
  local share = most > 0 and math.abs(weight) / most or 0
  if share < FAINT then return text end
  local level = math.min(math.ceil(share * LEVELS), LEVELS)
  return e.mark { class = (weight > 0 and "for f" or "against g")
    .. number.fixed(level, 0), text }
end

-- The text with its words marked. A word is looked for after the one before
-- it; one that is not there is passed over.
local function with_words(text, words)
  local out, at, most = {}, 1, largest(words)
  for _, word in ipairs(words) do
    local said = fields.text(word.text)
    local first, last
    if said and said ~= "" then first, last = text:find(said, at, true) end
    if first then
      out[#out + 1] = text:sub(at, first - 1)
      out[#out + 1] = marked(said, weight_of(word), most)
      at = last + 1
    end
  end
  out[#out + 1] = text:sub(at)
  return out
end

-- }========

local function word_table(words)
  local sorted, rows = {}, {}
  for i, word in ipairs(words) do sorted[i] = { word = word, i = i } end
  table.sort(sorted, function(a, b)
    local one, other = math.abs(weight_of(a.word)), math.abs(weight_of(b.word))
    if one ~= other then return one > other end
    return a.i < b.i
  end)
  for i = 1, math.min(#sorted, IN_TABLE) do
    local word = sorted[i].word
    local weight = weight_of(word)
    rows[i] = { markup.data(word.text, LABEL),
      (weight > 0 and "+" or "") .. number.figure(weight),
      weight > 0 and "for" or weight < 0 and "against" or "neither" }
  end
  return e.details { e.summary { "Its words" },
    grid.new("Words by weight", { named = true, grid.text "Word",
      grid.number "Weight", grid.text "Speaks" }, rows) }
end

-- A hostile text is cut before anything looks at it.
local function text_of(item)
  local text = fields.text(item.text)
  if not text then return number.UNKNOWN end
  return #text <= BYTES and markup.clean(text) or (markup.cut(text, TEXT))
end

local function words_of(item)
  local words = {}
  for i, word in ipairs(fields.records(item.words)) do
    if i > TEXT then break end
    words[i] = { weight = weight_of(word),
      text = fields.text(word.text) and markup.cut(word.text, TEXT) }
  end
  return words
end

local function error_item(item)
  local words = words_of(item)
  local row = number.known(item.row)
  return e.li {
    e.p { class = "quote", e.bdi(with_words(text_of(item), words)),
      fields.text(item.text_pair) and { " | ",
        markup.data(item.text_pair, TEXT) } or false },
    e.p { class = "note", row and ("Row %s. "):format(number.count(row)),
      "Right: ", e.b { markup.data(item.label, LABEL) }, ". Said: ",
      e.b { markup.data(item.predicted, LABEL) }, ", sure to ",
      number.share(item.score), "; loss ", number.figure(item.loss), "." },
    #words > 0 and word_table(words) or false,
  }
end

local function has_words(list)
  for _, item in ipairs(list) do
    if #fields.records(item.words) > 0 then return true end
  end
  return false
end

local function key()
  return e.p { class = "note", "Words that speak ",
    e.mark { class = "for f2", "for what was said" }, " have a solid line, ",
    e.mark { class = "against g2", "against it" },
    " a dashed one; the more they matter, the thicker." }
end

--- The worst errors of an evaluation.
-- @tparam table document
-- @treturn ?{Node,...} nil where it tells none
function errors.of(document)
  local list, items = fields.records(document.worst), {}
  if #list == 0 then return nil end
  for i = 1, math.min(#list, MOST) do items[i] = error_item(list[i]) end
  return { has_words(list) and key(),
    e.ol { class = "errors", items } }
end

return errors
