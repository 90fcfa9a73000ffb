--- The interval of a share, such as that of the answers that are right.
-- @module lunula.metrics.proportion

local check = require "lunula.check"

local proportion = {}

local Z = 1.959963984540054  -- of 95 %: the normal distribution's 97.5 % point

--- Wilson's score interval of 95 % (Wilson 1927, "Probable inference, the law
-- of succession, and statistical inference"). Unlike the bootstrap's it says
-- something of few rows, too: where 5 of 5 are right, 0.57 to 1.
-- @int count rows that are right
-- @int n rows, at least one
-- @treturn number its low end
-- @treturn number its high end
-- @raise when a number is no integer, or there are more right ones than rows
-- @usage local low, high = proportion.interval(5, 5)
function proportion.interval(count, n)
  check.integer(n, "proportion: n", { least = 1 })
  check.integer(count, "proportion: count", { least = 0, most = n })
  local share, z2 = count / n, Z * Z
  local middle = (share + z2 / (2 * n)) / (1 + z2 / n)
  local half = Z / (1 + z2 / n)
    * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
  return math.max(middle - half, 0), math.min(middle + half, 1)
end

return proportion
