--- Jobs, without a model: what holds whatever their work is.
local shell = require "lunula.shell"

local SOURCES = table.concat({ "spec/support/jobs.c", "src/serve/job.c",
  "src/serve/event.c", "src/base/pool.c", "src/base/thread.c",
  "src/base/clock.c", "src/base/processors.c", "src/base/status.c" }, " ")

-- the program under the thread sanitizer, or without where that is missing;
-- nil where there is no compiler
local function compile()
  local path = os.tmpname()
  for _, sanitizer in ipairs { "-fsanitize=thread", "" } do
    local _, code = shell.run { "sh", "-c", "cc -std=c99 -g " .. sanitizer
      .. " -o " .. path .. " " .. SOURCES .. " -lm -lpthread" }
    if code == 0 then return path end
  end
  os.remove(path)
end

describe("A job", function()
  local program = compile()
  if not program then
    pending("needs a C compiler")
    return
  end

  teardown(function() os.remove(program) end)

  local function runs(case)
    local said, _, complaint = shell.run { "env", "-u", "LD_PRELOAD",
      "TSAN_OPTIONS=die_after_fork=0:atexit_sleep_ms=0", program, case }
    assert.are.equal("", complaint)
    assert.are.equal("alive\n", said)
  end

  it("ends well or badly, and says so to who waits or polls", function()
    runs "ends"
  end)

  it("that is cancelled never runs, or stops", function()
    runs "cancelled"
  end)

  it("is not let into a queue that is full", function()
    runs "full"
  end)

  it("is handled by many threads at once, and they don't race", function()
    runs "race"
  end)

  it("stays with the parent when the process forks", function()
    runs "forks"
  end)

  it("is stopped when the process exits", function()
    runs "exit"
  end)

  it("takes no signal that is meant for the host", function()
    runs "signals"
  end)
end)
