local host = require "spec.support.host"
local run = require "spec.support.run"

local SUBMITS, THREADS = 1000000, 4

describe("Jobs", function()
  local program = host.compile()
  if not program then
    pending("needs a C compiler and Lua's header files")
    return
  end

  teardown(function() os.remove(program) end)

  it("take no memory: a million of them, by four states in four threads",
    function()
      local said = host.run(program, "shared", host.MODEL .. ([[
        local lunula = require "lunula"
        local resident = require "spec.support.resident"
        local SUBMITS, UNDER_WAY = %d, 8
        if finished then return end
        if not handle then
          kept = load_model()
          handle = lunula.share(kept)
          return
        end
        local model = lunula.open(handle)
        local jobs, before = {}, nil
        local function submit(i)
          local at = i %% UNDER_WAY
          if jobs[at] and i %% 3 > 0 then
            assert(#jobs[at]:result().label > 0)
          end
          repeat jobs[at] = model:submit(texts[i %% #texts + 1]) until jobs[at]
          if i %% 10 == 0 then jobs[at]:fd() end
          if i %% 7 == 0 then jobs[at]:cancel() end
          if jobs[at]:done() and i %% 7 == 0 then jobs[at] = nil end
        end
        for i = 1, SUBMITS do
          submit(i)
          if i == SUBMITS / 2 then
            collectgarbage()
            before = resident.mib() or 0
          end
        end
        jobs = nil
        collectgarbage()
        local growth = (resident.mib() or 0) - before
        assert(growth < 2, ("grew by %%.1f MiB"):format(growth))
        ]]):format(SUBMITS / THREADS), 1, run.MEASURED)
      assert.are.equal("alive\n", said)
    end)

  -- what a process holds when all states are closed
  local function resident_after(states)
    local said = host.run(program, "shared", host.MODEL .. [[
      local lunula = require "lunula"
      local resident = require "spec.support.resident"
      if finished then
        collectgarbage()
        print(resident.mib() or 0)
      elseif not handle then
        kept = load_model()
        handle = lunula.share(kept)
      else
        model = lunula.open(handle)
        jobs = {}
        for i = 1, 6 do jobs[i] = assert(model:submit(long())) end
        jobs[1]:fd()
        jobs[2]:cancel()
        jobs[3]:wait(0.0005)
        jobs[4] = nil
      end]], states, run.MEASURED)
    return tonumber(said:match "^(%S+)\nalive\n$")
  end

  it("are left under way by a thousand states, which leave nothing",
    function()
      local few = resident_after(50)
      assert.is_true(resident_after(1000 / THREADS) - few < 4)
    end)

  it("cost nothing between one a second and the next", function()
    if not io.open "/proc/self/schedstat" then
      pending("needs Linux to tell how long threads ran")
      return
    end
    local said, _, complaint = run.lua(host.MODEL .. [[
      local core = require "lunula.core"
      core.threads(2)
      local model = load_model()
      assert(model:submit(long()):result())
      local function time()
        local ran = 0
        for _, id in ipairs(core.io.list "/proc/self/task") do
          local file = io.open("/proc/self/task/" .. id .. "/schedstat")
          ran = ran + file:read "*n"
          file:close()
        end
        return ran / 1e9
      end
      os.execute "sleep 0.2"
      local before = time()
      os.execute "sleep 2"
      print(time() - before)]])
    assert.are.equal("", complaint)
    assert.is_true(tonumber(said) < 0.01, said)
  end)
end)
