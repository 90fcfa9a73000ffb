--- How much carbon dioxide a training set free, by a rough rule (Lacoste et al.
-- 2019, "Quantifying the Carbon Emissions of Machine Learning",
-- https://arxiv.org/abs/1910.09700):
--
--   grams = seconds / 3600 x watts / 1000 x grams a kWh
--
-- Seconds are measured; what the machine draws and what its current is made of
-- are assumptions, which are always said beside the number.
-- @module lunula.card.footprint

local check = require "lunula.check"

local footprint = {}

--- What is assumed where nobody says: the watts of a laptop or a small server
-- at work, and grams of CO2 a kWh, somewhat under the world's mean of 2023.
footprint.WATTS, footprint.INTENSITY = 30, 400

--- The carbon dioxide of some time.
-- @number seconds
-- @number[opt=30] watts that the machine draws meanwhile
-- @number[opt=400] intensity grams of CO2 a kWh
-- @treturn number grams
-- @raise when one is no number of at least 0
-- @usage footprint.grams(3600)  --> 12
function footprint.grams(seconds, watts, intensity)
  check.number(seconds, "card: seconds", { least = 0 })
  check.number(watts, "card: watts", { least = 0 })
  check.number(intensity, "card: grid_intensity", { least = 0 })
  return seconds / 3600 * watts / 1000 * intensity
end

--- Some time in words.
-- @number seconds
-- @treturn string such as "0.31 s"
function footprint.duration(seconds)
  return (seconds < 10 and "%.2f s" or "%.0f s"):format(seconds)
end

-- three digits that count
local function rounded(x)
  if x >= 100 then return ("%.0f"):format(x) end
  return (("%.3g"):format(x))
end

--- The same in words.
-- @number seconds
-- @number watts
-- @number intensity
-- @treturn string
function footprint.line(seconds, watts, intensity)
  return ("CO2: about %s g (assuming %g W, %g g/kWh)"):format(
    rounded(footprint.grams(seconds, watts, intensity)), watts, intensity)
end

return footprint
