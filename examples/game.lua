--- A game that listens: a model reads what players say, and no frame waits.
-- usage: lua5.4 examples/game.lua MODEL [FILE]
--
-- MODEL is a folder such as `lunula train` writes; each line of FILE, or of
-- the standard input, is said by a player. In a real game the frame would
-- move and draw a world; here it passes its time.

local lunula = require "lunula"

local FRAME = 1 / 60   -- seconds
local PAUSE = 2        -- frames between two that speak
local clock = lunula.core.system.monotonic

local model = lunula.classifier(arg[1] or "build/demo-model")
local lines = arg[2] and assert(io.open(arg[2])) or io.stdin

local said = {}        -- what waits until the model has time for it
local heard = {}       -- { text =, frame =, job = }, the oldest first
local frame, answers, longest = 0, 0, 0

-- Players speak now and then, until the lines end.
local function listen()
  if not lines or frame % PAUSE ~= 0 then return end
  local text = lines:read "*l"
  if text then
    said[#said + 1] = { text = text, frame = frame }
  else
    lines = nil
  end
end

-- Hands what was said to the model's threads. When its queue is full, what is
-- left waits for another frame: the game does not.
local function hand_over()
  while said[1] do
    local job = model:submit(said[1].text)
    if not job then return end
    said[1].job = job
    heard[#heard + 1] = table.remove(said, 1)
  end
end

local function react(to, answer)
  answers = answers + 1
  print(("frame %d: %s (%.2f), said %d frames ago: %s"):format(frame,
    answer.label, answer.score, frame - to.frame, to.text))
end

-- Takes the answers that are there. A result that went wrong is one answer
-- less, and the game goes on.
local function answer()
  while heard[1] and heard[1].job:done() do
    local first = table.remove(heard, 1)
    local ok, result = pcall(first.job.result, first.job)
    if ok then react(first, result) else io.stderr:write(result, "\n") end
  end
end

-- What is left of a frame is slept through, if there is an answer to sleep
-- for, and never longer.
local function rest(deadline)
  if heard[1] then heard[1].job:wait(deadline - clock()) end
end

repeat
  local began = clock()
  listen()
  hand_over()
  answer()
  longest = math.max(longest, clock() - began)
  rest(began + FRAME)
  frame = frame + 1
until not lines and not said[1] and not heard[1]

print(("%d answers in %d frames; the model took at most %.1f ms of a frame")
  :format(answers, frame, longest * 1000))
