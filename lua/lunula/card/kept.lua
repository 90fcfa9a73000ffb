--- What a person wrote into a card by hand, and that lives on when the card is
-- written anew: all between a line `<!-- keep -->` and a line
-- `<!-- /keep -->`, in the section (`## ...`) that it stands in; where there is
-- no such section any more, in one of its own at the end.
-- @module lunula.card.kept

local trimmed = require "lunula.trimmed"

local kept = {}

local OPEN, CLOSE = "<!-- keep -->", "<!-- /keep -->"

--- What a card begins with behind its front matter: a file with this line is
-- one that `lunula card` may write over.
kept.MARK = "<!-- Written by lunula card, which writes over all but what "
  .. 'stands between two comments "keep" and "/keep", each on a line of its '
  .. "own. -->"

local FORMER = "<!-- Written by lunula card"

--- Whether a README.md was written by `lunula card`.
-- @string text
-- @treturn bool
function kept.is_ours(text)
  return ("\n" .. text):find("\n" .. FORMER, 1, true) ~= nil
end

local function fail(what, line, message)
  error(("%s:%d: %s"):format(what, line, message), 0)
end

-- {======== reading ========

local function add(blocks, heading, lines)
  blocks[#blocks + 1] = { heading = heading, text = table.concat(lines, "\n") }
end

--- The blocks of a card.
-- @string text
-- @string what the file's name, for messages
-- @treturn {table,...} `{ heading =, text = }`, markers included, in their
--   order; heading "" before the first
-- @raise when a block does not end, or ends without having begun
function kept.read(text, what)
  local blocks, heading, lines, number, begun = {}, "", nil, 0, nil
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local word = trimmed(line)
    if lines then lines[#lines + 1] = line end
    if word == OPEN then
      if lines then fail(what, number, OPEN .. " within another") end
      lines, begun = { line }, number
    elseif word == CLOSE then
      if not lines then fail(what, number, CLOSE .. " without " .. OPEN) end
      add(blocks, heading, lines)
      lines = nil
    elseif not lines then
      local title = line:match "^##%s(.*)$"
      heading = title and trimmed(title) or heading
    end
  end
  if lines then
    fail(what, begun, ("%s without %s: where does it end?"):format(OPEN, CLOSE))
  end
  return blocks
end

-- }========

--- Puts blocks into the sections of a new card.
-- @tparam {table,...} sections `{ heading =, text = }`
-- @tparam {table,...} blocks as from `read`
-- @treturn {table,...} sections
function kept.put(sections, blocks)
  local place, rest, all = {}, {}, {}
  for i, section in ipairs(sections) do
    all[i] = { heading = section.heading, text = section.text }
    place[section.heading] = all[i]
  end
  for _, block in ipairs(blocks) do
    local section = place[block.heading]
    if section then
      section.text = section.text .. "\n\n" .. block.text
    else
      rest[#rest + 1] = block.text
    end
  end
  if rest[1] then
    all[#all + 1] = { heading = kept.NOTES, text = table.concat(rest, "\n\n") }
  end
  return all
end

--- The heading of what has no section of its own.
kept.NOTES = "Notes"

return kept
