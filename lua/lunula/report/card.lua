--- A model's card: its README.md.
-- @module lunula.report.card

local markdown = require "lunula.report.markdown"
local markup = require "lunula.report.markup"

local e = markup.element

local card = {}

local LONGEST = 4000  -- characters of the front matter

--- The card.
-- @tparam table document with its `text`
-- @treturn {Node,...}
function card.of(document)
  local text, front = markdown.parts(document.text)
  return {
    e.div { class = "card", markdown.render(text, 3) },
    front and e.details { e.summary { "Its front matter" },
      e.pre { tabindex = 0, e.code { (markup.cut(front, LONGEST)) } } }
      or false,
  }
end

return card
