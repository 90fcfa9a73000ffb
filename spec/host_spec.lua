local host = require "spec.support.host"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local system = require "lunula.core".system

describe("A host", function()
  local program = host.compile()
  if not program then
    pending("needs a C compiler and Lua's header files")
    return
  end

  teardown(function() os.remove(program) end)

  local function hosted(how, code)
    return host.run(program, how, code)
  end

  it("has functions of any name", function()
    local line = "print(require 'lunula.core'.tensor.from({ 1 }) + 1)"
    local said = "tensor float32 [1] {2}\n"
    assert.are.equal(said .. said .. "alive\n", hosted("upward", line))
  end)

  it("closes a state that was told to catch Ctrl-C, and gets one", function()
    assert.are.equal("alive\n", hosted("closed", [[
      require "lunula.core".system.catch_interrupt(true)]]))
  end)

  it("has another rounding mode, and gets the same bits from all threads",
    function()
      local said = hosted("upward", [[
        local core = require "lunula.core"
        local a, b = core.ops.normal({ 900, 100 }), core.ops.normal({ 100, 90 })
        local found = {}
        for i = 1, 20 do
          core.threads(i % 2 == 0 and 1 or 4)
          found[("%.17g"):format(a:matmul(b):sum():item())] = true
        end
        local n = 0
        for _ in pairs(found) do n = n + 1 end
        print(n)]])
      assert.are.equal("1\n1\nalive\n", said)
    end)

  it("has another rounding mode, and gets from predict what jobs answer",
    function()
      assert.are.equal("alive\n", hosted("upward", host.MODEL .. [[
        local model = load_model()
        for _, given in ipairs { { batch_size = 1 }, { batch_size = 60 } } do
          local now = model:predict(texts, given)
          for i, later in ipairs(model:submit(texts, given):result()) do
            for label, score in pairs(later.scores) do
              assert(score == now[i].scores[label])
            end
          end
        end]]))
    end)

  local WORK = [[
    local core = require "lunula.core"
    core.threads(3)
    local a, b = core.ops.normal({ 900, 40 }), core.ops.normal({ 40, 30 })
    local expected = a:matmul(b):sum():item()
    for _ = 1, 20 do
      a:requires_grad(true)
      local product = a:matmul(b):sum()
      product:backward()
      assert(product:item() == expected)
    end]]

  it("has states in several threads", function()
    assert.are.equal("alive\n", hosted("threads", WORK))
  end)

  it("forks, and goes on in the children", function()
    assert.are.equal("alive\n", hosted("forks", WORK))
  end)

  -- threads give back more than is kept, so that one or the other is in the
  -- middle of it when a child begins
  it("forks beside busy threads, and memory is used again in the children",
    function()
      assert.are.equal("alive\n", hosted("busy", [[
        local core = require "lunula.core"
        local mappings, MIB = core.system.mappings, 262144
        local function take(mib)
          core.tensor.zeros({ mib * MIB })
          collectgarbage()
        end
        if child and mappings() then
          take(1)
          local before = mappings()
          take(1)
          assert(mappings() == before)
        elseif not child then
          local held = {}
          for i = 1, 16 do held[i] = core.tensor.zeros({ 2 * MIB }) end
          held = nil
          collectgarbage()
        end]]))
    end)

  it("polls the descriptor of a job", function()
    assert.are.equal("alive\n", hosted("threads", host.MODEL .. [[
      local model = load_model()
      local job = model:submit(long())
      local fd = job:fd()
      repeat local done = job:wait(0.001) until readable(fd) or done
      job:wait()
      assert(readable(fd) and job:done() and #job:result() == 5000)
      local late = model:submit "a film"
      late:wait()
      assert(readable(late:fd()))]]))
  end)

  it("closes states in the middle of jobs", function()
    assert.are.equal("alive\n", hosted("threads", host.MODEL .. [[
      local model = load_model()
      jobs = {}
      for i = 1, 8 do jobs[i] = assert(model:submit(long())) end
      jobs[1]:fd()
      jobs[2]:cancel()
      jobs[3]:wait(0.001)]]))
  end)

  it("shares a model among states of several threads", function()
    assert.are.equal("alive\n", hosted("shared", host.MODEL .. [[
      local lunula = require "lunula"
      if not handle then
        kept = load_model()
        handle = lunula.share(kept)
      end
      local model = lunula.open(handle)
      local expected = model:predict(texts)
      for _ = 1, 20 do
        local one, all = model:submit(texts[1]), model:submit(texts)
        assert(one:result().score == expected[1].score)
        for i, p in ipairs(all:result()) do
          assert(p.score == expected[i].score)
        end
      end
      unfinished = model:submit(long())]]))
  end)

  it("forks before its first job, and jobs go on in the children", function()
    assert.are.equal("alive\n", hosted("forks", host.MODEL .. [[
      model = model or load_model()
      local function check(job)
        assert(model:predict(texts[1]).score == job:result()[1].score)
      end
      if child then check(model:submit(texts)) end]]))
  end)

  -- The address sanitizer has an allocator of its own, whose locks a child
  -- inherits as they are. It counts no mappings.
  local function survives_forks()
    if system.mappings() then return true end
    pending("needs memory that can be used after any fork")
  end

  it("forks in the middle of jobs, which are the parent's", function()
    if not survives_forks() then return end
    assert.are.equal("alive\n", hosted("forks", host.MODEL .. [[
      if not child then
        model = load_model()
        jobs = { model:submit(long()), model:submit(long()),
          model:submit(long()) }
        jobs[1]:fd()
        return
      end
      for _, job in ipairs(jobs) do
        assert(job:done())
        local ok, why = pcall(job.result, job)
        assert(ok or why:find "forked")
      end
      assert(readable(jobs[1]:fd()) and readable(jobs[3]:fd()))
      jobs = nil
      collectgarbage()
      assert(model:submit(texts[1]):result().score
        == model:predict(texts[1]).score)]]))
  end)

  it("forks beside threads that have jobs", function()
    if not survives_forks() then return end
    assert.are.equal("alive\n", hosted("busy", host.MODEL .. [[
      model = model or load_model()
      local job = model:submit(texts)
      if child then assert(#job:result() == #texts) end]]))
  end)
end)

describe("lunula.core", function()
  -- runs a C program with OpenBLAS behind it
  local function multiply(source, flags)
    local path = os.tmpname()
    local _, code = shell.run { "sh", "-c", "cc -std=c99 -g " .. flags
      .. " -o " .. path .. " " .. source .. " src/kernel/blas.c "
      .. "$(pkg-config --cflags --libs openblas) -lpthread" }
    if code ~= 0 then
      os.remove(path)
      pending("needs a C compiler" .. flags)
      return
    end
    local said, _, complaint = shell.run { "env", "-u", "LD_PRELOAD", path }
    os.remove(path)
    assert.are.equal("", complaint)
    assert.are.equal("alive\n", said)
  end

  it("is loaded by several threads, and they don't race", function()
    multiply("spec/support/once.c", " -fsanitize=thread")
  end)

  it("multiplies in a child that was forked in a product", function()
    multiply("spec/support/products.c", "")
  end)

  it("shows the program one name", function()
    local said, code = shell.run { "nm", "-D", "--defined-only",
      "lunula/core.so" }
    if code == 127 then
      pending("needs nm")
      return
    end
    local names = {}
    for name in said:gmatch "%x+ [TDBRVW] ([^\n]+)" do
      names[#names + 1] = name
    end
    assert.are.same({ "luaopen_lunula_core" }, names)
  end)

  it("has no thread before it works, and then as many as are asked for",
    function()
      if not io.open "/proc/self/stat" then
        pending("needs Linux to tell how many threads there are")
        return
      end
      local said, _, complaint = run.lua [[
        local core = require "lunula.core"
        local function threads() return #core.io.list "/proc/self/task" end
        local a = core.ops.normal({ 400, 400 })
        local loaded = threads()
        core.threads(1)
        a:matmul(a)
        local one = threads()
        core.threads(3)
        a:matmul(a)
        print(loaded, one, threads())]]
      assert.are.equal("", complaint)
      assert.are.equal("1\t1\t3\n", said)
    end)

  it("has a thread for jobs with the first of them, and no other", function()
    if not io.open "/proc/self/stat" then
      pending("needs Linux to tell how many threads there are")
      return
    end
    local said, _, complaint = run.lua(host.MODEL .. [[
      local core = require "lunula.core"
      local function threads() return #core.io.list "/proc/self/task" end
      local model = load_model()
      model:predict "a film"
      local before = threads()
      for _ = 1, 20 do model:submit("a film"):result() end
      print(before, threads())]])
    assert.are.equal("", complaint)
    assert.are.equal("1\t2\n", said)
  end)

  it("ends with its process in the middle of jobs", function()
    for _, how in ipairs { "", "os.exit(0, true)", "os.exit(0)" } do
      local said, code, complaint = run.lua(host.MODEL .. [[
        local model = load_model()
        jobs = {}
        for i = 1, 4 do jobs[i] = model:submit(long()) end
        io.write "alive"
        io.stdout:flush()
        ]] .. how)
      assert.are.equal("", complaint)
      assert.are.equal("alive", said)
      assert.are.equal(0, code)
    end
  end)

  it("lets threads rest that are no longer asked for", function()
    if not io.open "/proc/self/schedstat" then
      pending("needs Linux to tell how long threads ran")
      return
    end
    local said, _, complaint = run.lua [[
      local core = require "lunula.core"
      local a, b = core.ops.normal({ 700, 64 }), core.ops.normal({ 64, 64 })
      local function work()
        for _ = 1, 200 do a:matmul(b) end
      end
      local function times()
        local found = {}
        for _, id in ipairs(core.io.list "/proc/self/task") do
          local file = io.open("/proc/self/task/" .. id .. "/schedstat")
          found[id] = file:read "*n"
          file:close()
        end
        return found
      end
      core.threads(8)
      work()
      core.threads(2)
      work()
      local before, ran = times(), 0
      work()
      for id, time in pairs(times()) do
        if time > before[id] + 1e6 then ran = ran + 1 end
      end
      print(ran)]]
    assert.are.equal("", complaint)
    assert.is_true(tonumber(said) <= 2, said)
  end)
end)
