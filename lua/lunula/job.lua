--- Predictions that are made while the program goes on.
-- `model:submit(texts)` gives a job at once. The texts are copied; all else
-- happens on threads of lunula's own, tokenizing too. There are as many as
-- `lunula.threads()` says, made with the first job; they sleep when there is
-- nothing to do.
--
-- A game asks `job:done()` in each frame. An event loop (`poll`, libuv,
-- cqueues) waits until `job:fd()` is readable. A script calls `job:wait` or
-- just `job:result()`.
--
-- A job that is no longer referred to is cancelled, and closing the Lua state
-- cancels all of its jobs; neither waits for one. After a `fork`, jobs that
-- were under way are the parent's: in the child they have failed.
-- @classmod lunula.job

local check = require "lunula.check"
local core = require "lunula.core"
local predictions = require "lunula.predictions"

local job = {}

local Job = {}
Job.__index = Job

local LARGEST_CAPACITY = 2 ^ 20

--- A bounded queue, for the jobs of one model.
-- @int capacity most jobs that wait or run
-- @string what who asks, for the message
-- @treturn table
function job.queue(capacity, what)
  check.integer(capacity, what .. ": queue_capacity",
    { least = 1, most = LARGEST_CAPACITY })
  return { core = core.jobs.queue(capacity), capacity = capacity }
end

local function refuse(queue)
  return nil, ("queue is full (%d jobs)"):format(queue.capacity)
end

--- Hands texts over.
-- @tparam table queue
-- @tparam table model `core`, `problem`, `labels`, `thresholds` and
--   `max_length`
-- @tparam string|{string,...} texts
-- @tparam ?table given options of `classifier:predict`
-- @treturn[1] job
-- @treturn[2] nil
-- @treturn[2] string that the queue is full
function job.submit(queue, model, texts, given)
  if queue.core:full() then return refuse(queue) end
  local asked = predictions.ask(model, texts, given, "submit")
  local ok, handed = pcall(queue.core.submit, queue.core, asked)
  if not ok then error("submit: " .. tostring(handed), 0) end
  if not handed then return refuse(queue) end  -- a finalizer was faster
  return setmetatable({
    core = handed, single = type(texts) == "string",
    model = { problem = model.problem, labels = model.labels,
      thresholds = model.thresholds }, min_score = given and given.min_score,
  }, Job)
end

--- Whether there is an end to it: a result, an error, or that it was
-- cancelled. Costs next to nothing, so that a game may ask in each frame.
-- @treturn bool
-- @usage if job:done() then say(job:result().label) end
function Job:done()
  return self.core:done()
end

--- Waits until it is done, but never longer than asked.
-- @number[opt] seconds 0 or less does not wait; until it is done when not
--   given
-- @treturn bool whether it is done
-- @usage while not job:wait(0.1) do io.write "." end
function Job:wait(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    check.number(seconds, "job: wait: seconds")
  end
  return self.core:wait(seconds)
end

--- What `predict` gives for the same texts, to the bit.
-- Waits until the job is done.
-- @treturn table a prediction, or an array of them, as texts were given
-- @raise when it failed, or was cancelled
-- @usage print(model:submit("What a quiet, lovely film."):result().label)
function Job:result()
  local ok, rows, cut = pcall(self.core.result, self.core)
  if not ok then error("job: " .. tostring(rows), 0) end
  return predictions.all(self.model, rows, cut, self.single, self.min_score)
end

--- Gives it up: it is done at once, and has no result.
-- If it has not begun, it never will; if it runs, its thread stops after the
-- batch that it is at.
-- @treturn bool false when it was done before
-- @usage job:cancel()
function Job:cancel()
  return self.core:cancel()
end

--- A file descriptor that becomes readable when the job is done, for `poll`,
-- `epoll`, libuv, cqueues and the like. It is made when it is asked for first,
-- and closed with the job: stop polling it before you let go of the job, and
-- neither read from it nor close it.
-- @treturn int
-- @raise when the process has no descriptors left
-- @usage local poll = uv.new_poll(job:fd())
-- poll:start("r", function() poll:stop(); say(job:result()) end)
function Job:fd()
  local ok, fd = pcall(self.core.fd, self.core)
  if not ok then error("job: " .. tostring(fd), 0) end
  return fd
end

function Job:__tostring()
  return self:done() and "job (done)" or "job (under way)"
end

return job
