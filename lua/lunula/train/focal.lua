--- The focal loss, in place of cross entropy: rows that the model knows already
-- count little (Lin et al. 2017, "Focal Loss for Dense Object Detection",
-- https://arxiv.org/abs/1708.02002):
--
--   loss = mean of -(1 - p)^gamma log p
--
-- where p is the probability of the right label. It is computed where cross
-- entropy would be: `lunula.train.objective`.
-- @module lunula.train.focal

local focal = {}

focal.options = {
  { name = "focal_gamma", type = "number", least = 0, default = 0,
    what = "how little known rows count; the paper's 2" },
}

-- A smoothed target has no one probability that says how well a row is known.
function focal.check(o)
  if o.focal_gamma > 0 and o.label_smoothing > 0 then
    error("train: focal_gamma and label_smoothing: give one of them: focal "
      .. "loss is defined for one right label", 0)
  end
end

--- There is nothing to do but the loss.
function focal.new()
  return nil
end

return focal
